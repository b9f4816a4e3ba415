"""Exact derivatives of a cell, as sums of products of diagonals and weights: any size, printable, provable."""

from lstm_sym.calculus.derive import PATHS, jacobian
from lstm_sym.calculus.determinants import LogDeterminant, log_determinant
from lstm_sym.calculus.horizon import HORIZON_PATHS, HorizonProduct, horizon_product
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.values import Jacobian

__all__ = [
    "HORIZON_PATHS",
    "PATHS",
    "HorizonProduct",
    "Jacobian",
    "JacobianTable",
    "LogDeterminant",
    "Term",
    "horizon_product",
    "jacobian",
    "log_determinant",
]
