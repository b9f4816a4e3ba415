"""Bounds in numbers: spectral norms of weights, largest magnitudes of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.bounds.suprema import NormTerms
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell
from lstm_sym.checks import finite, unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import lag_of


def evaluate(
    cell: Cell, terms: NormTerms, parameters: Mapping[str, Any] | None, values: Mapping[str, Any]
) -> float | Array:
    """``Bound.evaluate``: Σ number·∏ ‖v‖∞^k·∏ ‖W‖."""
    given = _checked(cell, {**(parameters or {}), **values})
    total: Any = 0.0
    for term in terms:
        factors: list[Any] = [norm(cell, name, given) for name in term.weights]
        factors += [largest(cell, expression, given) ** power for expression, power in term.sups]
        total = total + float(term.number) * np.prod(np.broadcast_arrays(1.0, *factors), axis=0)
    return np.asarray(total) if np.ndim(total) else float(total)


def _checked(cell: Cell, given: Mapping[str, Any]) -> dict[str, Array]:
    known = (*cell.vectors, *cell.parameters)
    for name in given:
        if name not in known and lag_of(name)[0] not in cell.vectors:
            raise unknown_name(f"quantity of {cell.name}", name, known)
    return {name: finite(name, value) for name, value in given.items()}


def norm(cell: Cell, name: str, given: Mapping[str, Array]) -> float:
    """‖W‖, the largest singular value; a number is taken for the norm."""
    array = _value(cell, name, given)
    if array.ndim not in (0, 2):
        raise ValueError(f"{name} has shape {array.shape}: expected (rows, columns), or its norm.")
    return float(np.linalg.norm(array, 2)) if array.ndim else abs(float(array))


def largest(cell: Cell, expression: sp.Expr, given: Mapping[str, Array]) -> Array:
    """‖v‖∞ over the units, (...); a number given for a vector is its ‖·‖∞."""
    names = sorted(symbol.name for symbol in expression.free_symbols)
    arrays = [_value(cell, name, given) for name in names]
    if not expression.is_Symbol:
        if bare := [n for n, a in zip(names, arrays, strict=True) if not a.ndim and n not in cell.constants]:
            raise ValueError(
                f"{bare[0]} is a single number: the bound has {expression} in it; give an array, (..., n)."
            )
        coefficients = Coefficients("sup", [Term((expression,))])
        numbers = coefficients(dict(zip(names, arrays, strict=True)))
        arrays = [np.asarray(numbers[expression])]
    magnitude = np.abs(arrays[0])
    return np.asarray(magnitude.max(axis=-1) if magnitude.ndim else magnitude)


def _value(cell: Cell, name: str, given: Mapping[str, Array]) -> Array:
    """The value of ``name``, of the same vector without its time, or a constant's default."""
    for known in (name, lag_of(name)[0]):
        if known in given:
            return given[known]
    if name in cell.constants:
        return np.asarray(cell.constants[name])
    raise ValueError(f"no value for {name}: the bound needs it.")
