"""Which mistake it was: a claim's numbers are compared with those of every known mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.numbers import Coefficients, Dense, flattened
from lstm_sym.calculus.terms import Term, merged
from lstm_sym.calculus.values import Jacobian
from lstm_sym.claims.binding import spaces
from lstm_sym.claims.mistakes import COMPOSED, PLAIN, TELLING, Mistake, catalogue, truth
from lstm_sym.claims.points import Point, point
from lstm_sym.functions import Array

#: A claim is called right, or recognised, if it agrees to this relative to the largest entry.
TOLERANCE = 1e-9
#: Where claims are compared with known mistakes: a coincidence at one of these is none at the others.
PLACES = ((3, 0.5, 1), (2, 0.5, 0), (5, 0.5, 2))
#: Pairs of mistakes are looked for among so many of the first.
PAIRED = 150

#: A claim in numbers, at a point.
Numbers = Callable[[Point], Array]


def close(a: Array, b: Array) -> bool:
    """Equality of matrices to rounding."""
    if a.shape != b.shape or not np.isfinite(a).all():
        return False
    scale = max(float(np.abs(b).max(initial=0.0)), 1e-3)
    return bool(np.abs(a - b).max(initial=0.0) <= TOLERANCE * scale)


def recognised(question: Jacobian, claim: Numbers) -> Mistake | None:
    """The known mistake, or the two, that the claim makes; None if it is none of them."""
    claimed = [claim(point(question.cell, *place)) for place in PLACES]
    for part in (TELLING, PLAIN):
        if found := _single(question, part, claimed):
            return found
        if part == TELLING and (found := _weighted(question, claimed)):
            return found
    return _pair(question, claimed) or _transposed(question, claimed) or _single(question, COMPOSED, claimed)


@lru_cache(maxsize=64)
def _matrices(question: Jacobian, part: str, place: int) -> tuple[Array | None, ...]:
    """Every known mistake in numbers; None where its factors do not fit together."""
    formulas = [mistake.formula for mistake in catalogue(question, part) if mistake.formula is not None]
    return matrices(formulas, point(question.cell, *PLACES[place]))


def matrices(formulas: Sequence[Jacobian], at: Point) -> tuple[Array | None, ...]:
    """Formulas in numbers, compiled together; each may have a shape of its own."""
    shapes = [_shape(formula) for formula in formulas]
    fitting = [f for f, shape in zip(formulas, shapes, strict=True) if shape]
    coefficients = Coefficients("claims", [term for formula in fitting for term in formula.terms])
    with np.errstate(all="ignore"):
        numbers = flattened(coefficients(at.values), ())
        return tuple(
            _matrix(formula, numbers, at, shape) if shape else None
            for formula, shape in zip(formulas, shapes, strict=True)
        )


def _matrix(formula: Jacobian, numbers: Mapping[sp.Expr, Any], at: Point, shape: tuple[str, str]) -> Array:
    out = np.zeros((1, at.sizes[shape[0]], at.sizes[shape[1]]))
    dense = Dense(formula.terms, at.values)
    dense.write(out, numbers, dense.factors(numbers, out.shape[:2], out.dtype))
    return np.asarray(out[0])


def _shape(formula: Jacobian) -> tuple[str, str] | None:
    """The size names of rows and columns that all terms share."""
    shape: tuple[str | None, str | None] = (None, None)
    for term in formula.terms:
        try:
            found = spaces(formula.cell, term)
        except ValueError:
            return None
        ends = (found[0], found[-1]) if term.weights else (found[0], found[0])
        for known, new in zip(shape, ends, strict=True):
            if known and new and known != new:
                return None
        shape = (shape[0] or ends[0], shape[1] or ends[1])
        if not term.weights and shape[0] != shape[1]:
            return None
    rows, columns = formula.shape
    return shape[0] or rows, shape[1] or columns


def _single(question: Jacobian, part: str, claimed: Sequence[Array]) -> Mistake | None:
    first = _matrices(question, part, 0)
    right = question.evaluate(point(question.cell, *PLACES[0]).values)
    for k, mistake in enumerate(catalogue(question, part)):
        candidate = first[k]
        if candidate is None or close(candidate, right) or not close(claimed[0], candidate):
            continue
        others = [_matrices(question, part, place)[k] for place in range(1, len(PLACES))]
        if all(o is not None and close(c, o) for c, o in zip(claimed[1:], others, strict=True)):
            return mistake
    return None


def _weighted(question: Jacobian, claimed: Sequence[Array]) -> Mistake | None:
    """A path dropped, its sign wrong, counted twice: the claim is a combination of the right pieces."""
    right = truth(question)
    if not right.pieces:
        return None
    parts = [
        [piece.evaluate(point(question.cell, *place).values).ravel() for piece in _each(question)]
        for place in PLACES
    ]
    columns = np.concatenate([np.stack(part, axis=1) for part in parts])
    shape_fits = all(
        c.shape == question.evaluate(point(question.cell, *place).values).shape
        for c, place in zip(claimed, PLACES, strict=True)
    )
    if not shape_fits or not all(np.isfinite(c).all() for c in claimed):
        return None
    wanted = np.concatenate([c.ravel() for c in claimed])
    found, _, rank, _ = np.linalg.lstsq(columns, wanted, rcond=None)
    if rank < columns.shape[1] or not close(columns @ found, wanted):
        return None
    factors = [float(f"{f:.9g}") if abs(f) > 1e-9 else 0.0 for f in found]
    return _combination(question, factors)


def _each(question: Jacobian) -> Iterable[Jacobian]:
    return (replace(question, terms=(piece.term,)) for piece in truth(question).pieces)


def _combination(question: Jacobian, factors: Sequence[float]) -> Mistake:
    pieces = truth(question).pieces
    exact = [sp.nsimplify(f, rational=True, tolerance=1e-9) for f in factors]
    terms = [
        Term((f * p.term.diagonals[0], *p.term.diagonals[1:]), p.term.weights)
        for f, p in zip(exact, pieces, strict=True)
    ]
    formula = replace(question, terms=merged(terms, question.cell.parameters))
    if not any(factors):
        ways = "; ".join(dict.fromkeys(piece.title for piece in pieces))
        return Mistake("everything dropped", f"it does change: {ways}", formula)
    if len(set(factors)) == 1:
        if factors[0] == -1:
            return Mistake("a sign error", "the whole has the wrong sign", formula)
        return Mistake("a constant factor", f"the whole is counted {factors[0]:.6g} times", formula)
    dropped = [p.title for f, p in zip(factors, pieces, strict=True) if f == 0]
    flipped = [p.title for f, p in zip(factors, pieces, strict=True) if f == -1]
    scaled = [f"{p.title} {f:.6g} times" for f, p in zip(factors, pieces, strict=True) if f not in (0, 1, -1)]
    said = [("a path dropped", "what comes {} is missing", dropped)]
    said += [("a sign error", "what comes {} has the wrong sign", flipped)]
    said += [("a constant factor", "counted wrongly is what comes {}", scaled)]
    names = [name for name, _, which in said if which]
    texts = [text.format(" and ".join(dict.fromkeys(which))) for _, text, which in said if which]
    return Mistake(" and ".join(names), "; ".join(texts), formula)


def _pair(question: Jacobian, claimed: Sequence[Array]) -> Mistake | None:
    """Two mistakes at different places add up."""
    known = catalogue(question, TELLING)[:PAIRED]
    deviations, wanted = [], []
    for place in range(len(PLACES)):
        right = question.evaluate(point(question.cell, *PLACES[place]).values)
        if claimed[place].shape != right.shape:
            return None
        found = [
            m if m is not None and m.shape == right.shape else right for m in _matrices(question, TELLING, place)
        ]
        deviations.append(np.stack([(m - right).ravel() for m in found[:PAIRED]]))
        wanted.append((claimed[place] - right).ravel())
    scale = TOLERANCE * max(float(np.abs(claimed[0]).max(initial=0.0)), 1e-3)
    for j, one in enumerate(deviations[0]):
        if not one.any():
            continue
        rest = np.abs(deviations[0][j + 1 :] + one - wanted[0]).max(axis=1, initial=0.0)
        for k in j + 1 + np.flatnonzero(rest <= scale):
            if all(close(w, d[j] + d[k]) for w, d in zip(wanted, deviations, strict=True)):
                return _both(question, known[j], known[k])
    return None


def _both(question: Jacobian, one: Mistake, two: Mistake) -> Mistake:
    assert one.formula is not None
    assert two.formula is not None
    minus = [Term((sp.S.NegativeOne,)) @ t for t in question.terms]
    terms = merged((*one.formula.terms, *two.formula.terms, *minus), question.cell.parameters)
    name = one.name if one.name == two.name else f"{one.name}, and {two.name}"
    return Mistake(name, f"{one.explanation}. And: {two.explanation}", replace(question, terms=terms))


def _transposed(question: Jacobian, claimed: Sequence[Array]) -> Mistake | None:
    """The whole transposed, and one mistake more."""
    flipped = [c.T for c in claimed if c.ndim == 2]
    if len(flipped) < len(claimed):
        return None
    again = next((f for f in (_single(question, TELLING, flipped), _weighted(question, flipped)) if f), None)
    if again is None or again.formula is None:
        return None
    layout = next(m for m in catalogue(question, TELLING) if m.name == "the whole transposed")
    return Mistake(
        f"{layout.name}, and {again.name}", f"{layout.explanation}. And: {again.explanation}", again.formula.T
    )
