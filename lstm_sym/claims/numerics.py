"""Formulas in numbers, many at once, and when two matrices count as equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.numbers import Coefficients, Dense, flattened
from lstm_sym.calculus.terms import Terms
from lstm_sym.calculus.values import Jacobian
from lstm_sym.claims.binding import spaces
from lstm_sym.claims.points import Point, points
from lstm_sym.functions import Array

#: Matrices count as equal if they agree to this, relative to the largest entry; below ``LEAST`` that is no scale.
TOLERANCE, LEAST = 1e-9, 1e-3

#: A claim in numbers, at a point.
Numbers = Callable[[Point], Array]


def close(a: Array, b: Array) -> bool:
    """Equality of matrices to rounding."""
    if a.shape != b.shape or not np.isfinite(a).all():
        return False
    scale = max(float(np.abs(b).max(initial=0.0)), LEAST)
    return bool(np.abs(a - b).max(initial=0.0) <= TOLERANCE * scale)


def all_close(some: Sequence[Array], others: Sequence[Array | None]) -> bool:
    """Equality at every point."""
    return all(b is not None and close(a, b) for a, b in zip(some, others, strict=True))


@dataclass(frozen=True, eq=False)
class Evidence:
    """The numbers that ``claim`` gives for ``question``, at a few points with which known mistakes are compared."""

    question: Jacobian
    claim: Numbers
    points: tuple[Point, ...]

    @cached_property
    def claimed(self) -> tuple[Array, ...]:
        """What is claimed at these points."""
        return tuple(self.claim(at) for at in self.points)

    @cached_property
    def right(self) -> tuple[Array, ...]:
        """The truth at these points."""
        return tuple(true(self.question, at) for at in self.points)

    def agrees(self, formula: Jacobian) -> bool:
        """Whether ``formula`` is what is claimed, at many more points."""
        many = list(points(self.question.cell))
        return all_close([self.claim(at) for at in many], [matrices([formula], at)[0] for at in many])

    @property
    def fits(self) -> bool:
        """Whether the claimed matrices have the right shape and finite entries."""
        pairs = zip(self.claimed, self.right, strict=True)
        return all(found.shape == right.shape and bool(np.isfinite(found).all()) for found, right in pairs)


@lru_cache(maxsize=1024)
def true(question: Jacobian, at: Point) -> Array:
    """The right matrix at a point."""
    return question.evaluate(at.values)


def matrices(formulas: Sequence[Jacobian], at: Point) -> tuple[Array | None, ...]:
    """Formulas in numbers, compiled together; each may have a shape of its own, None where it has none."""
    shapes = [_shape(formula) for formula in formulas]
    fitting = [formula for formula, shape in zip(formulas, shapes, strict=True) if shape]
    coefficients = _compiled(tuple(term for formula in fitting for term in formula.terms))
    with np.errstate(all="ignore"):
        numbers = flattened(coefficients(at.values), ())
        pairs = zip(formulas, shapes, strict=True)
        return tuple(_matrix(formula, numbers, at, shape) if shape else None for formula, shape in pairs)


@lru_cache(maxsize=32)
def _compiled(terms: Terms) -> Coefficients:
    return Coefficients("claims", terms)


def _matrix(formula: Jacobian, numbers: Mapping[sp.Expr, Any], at: Point, shape: tuple[str, str]) -> Array:
    out = np.zeros((1, at.sizes[shape[0]], at.sizes[shape[1]]))
    dense = Dense(formula.terms, at.values)
    dense.write(out, numbers, dense.factors(numbers, out.shape[:2], out.dtype))
    return np.asarray(out[0])


def _shape(formula: Jacobian) -> tuple[str, str] | None:
    """The size names of rows and columns that all terms share; those of the derivative where no term says."""
    rows, columns = "", ""
    for term in formula.terms:
        try:
            found = spaces(formula.cell, term)
        except ValueError:
            return None
        first, last = found[0] or "", (found[-1] if term.weights else found[0]) or ""
        if (rows and first and rows != first) or (columns and last and columns != last):
            return None
        rows, columns = rows or first, columns or last
    if rows != columns and any(term.is_direct for term in formula.terms):
        return None
    return rows or formula.shape[0], columns or formula.shape[1]
