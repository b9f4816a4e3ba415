"""From structured terms to SymPy: slopes written through gates, explicit matrices, matrix expressions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp
from sympy.matrices.expressions.hadamard import HadamardPower, HadamardProduct

from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell
from lstm_sym.cell.graph import unit
from lstm_sym.checks import unknown_name
from lstm_sym.functions import slopes_from_values
from lstm_sym.notation import lag_of, lagged

if TYPE_CHECKING:
    from lstm_sym.calculus.values import Jacobian

Size: TypeAlias = "int | sp.Expr"


def shifted(cell: Cell, expression: sp.Expr, steps: int = 1) -> sp.Expr:
    """``expression`` as it stood ``steps`` steps earlier: parameters stay, every vector gets older."""
    vectors = [symbol for symbol in expression.free_symbols if symbol.name not in cell.vector_parameters]
    return expression.xreplace({symbol: unit(lagged(symbol.name, steps)) for symbol in vectors})


@lru_cache(maxsize=4096)
def through_gates(cell: Cell, expression: sp.Expr) -> sp.Expr:
    """``expression`` with slopes and activations written through the gates that they define, at any time.

    What all addends share is taken out: z⊙(1−z)⊙(h−n), as one would write it.
    """
    lags = {lag_of(symbol.name)[1] for symbol in expression.free_symbols}
    names = {}
    for lag in sorted({0, *lags, *(lag - 1 for lag in lags if lag)}, reverse=True):
        for activation, gate in cell.activations.items():
            names[shifted(cell, activation, lag)] = shifted(cell, gate, lag)
    return sp.factor_terms(slopes_from_values(expression, names))


def readable(cell: Cell, term: Term) -> Term:
    """``term`` with every slope written through its gate: dsigmoid(a_f) as f·(1 − f)."""
    return term.map(lambda diagonal: through_gates(cell, diagonal))


def vector(cell: Cell, name: str) -> sp.Symbol:
    """The symbol of a vector of ``cell``, also of an older one; an unknown name lists the known ones."""
    base, lag = lag_of(name)
    if name in cell.vectors or name in cell.vector_parameters or (lag and base in cell.vectors):
        return unit(name)
    raise unknown_name(f"vector of {cell.name}", name, (*cell.vectors, *cell.vector_parameters))


def to_sympy(jacobian: Jacobian, sizes: Mapping[str, Size]) -> sp.Matrix | sp.MatrixExpr:
    """Explicit when all sizes are integers, else a matrix expression in MatrixSymbols."""
    shape = tuple(sizes[name] for name in jacobian.shape)
    terms = [_matrix_expression(jacobian.cell, term, sizes, jacobian.shape) for term in jacobian]
    whole = sp.MatAdd(*terms) if terms else sp.ZeroMatrix(*shape)
    if all(isinstance(size, (int, sp.Integer)) for size in sizes.values()):
        return sp.ImmutableMatrix(whole.as_explicit())
    return whole.doit() if len(terms) == 1 else whole


def _matrix_expression(cell: Cell, term: Term, sizes: Mapping[str, Size], shape: tuple[str, str]) -> sp.MatrixExpr:
    spaces = [shape[0], *(weight.columns for weight in term.weights)]
    factors = []
    for place, (diagonal, space) in enumerate(zip(term.diagonals, spaces, strict=True)):
        size = sizes[space]
        if diagonal != 1 or not term.weights:
            factors.append(
                sp.Identity(size) if diagonal == 1 else sp.DiagMatrix(_vector_expression(cell, diagonal, size))
            )
        if place < len(term.weights):
            weight = term.weights[place]
            rows, columns = (weight.columns, weight.rows) if weight.transposed else (weight.rows, weight.columns)
            symbol = sp.MatrixSymbol(weight.name, sizes[rows], sizes[columns])
            factors.append(symbol.T if weight.transposed else symbol)
    return sp.MatMul(*factors)


def _vector_expression(cell: Cell, expression: sp.Expr, size: Size) -> sp.MatrixExpr:
    """A per-unit expression as a column vector of SymPy's elementwise products, sums and powers."""
    if cell.is_constant(expression):
        return expression * sp.OneMatrix(size, 1)
    if expression.is_Symbol:
        return sp.MatrixSymbol(expression.name, size, 1)
    if expression.is_Add:
        return sp.MatAdd(*(_vector_expression(cell, term, size) for term in expression.args))
    if expression.is_Mul:
        numbers = [factor for factor in expression.args if cell.is_constant(factor)]
        factors = [_vector_expression(cell, f, size) for f in expression.args if f not in numbers]
        return sp.Mul(*numbers) * (HadamardProduct(*factors) if len(factors) > 1 else factors[0])
    if expression.is_Pow:
        return HadamardPower(_vector_expression(cell, expression.base, size), expression.exp)
    if expression.is_Function and len(expression.args) == 1:
        return _vector_expression(cell, expression.args[0], size).applyfunc(type(expression))
    raise TypeError(f"{expression} has no counterpart among SymPy's matrix expressions.")
