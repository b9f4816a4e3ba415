"""Which mistake it was: a claim's numbers are compared with those of every known mistake."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lstm_sym.calculus.values import Jacobian
from lstm_sym.claims.combinations import combination, pair
from lstm_sym.claims.mistakes import COMPOSED, PLAIN, TELLING, Mistake, catalogue
from lstm_sym.claims.numerics import Evidence, Numbers, all_close, close, matrices
from lstm_sym.claims.points import Point, point
from lstm_sym.functions import Array

#: Where claims are compared with known mistakes: a coincidence at one of these is none at the others.
PLACES = ((3, 0.5, 3), (2, 0.5, 2), (5, 0.5, 5))


def recognised(question: Jacobian, claim: Numbers, refuted_at: Point) -> Mistake | None:
    """The known mistake, or the two, that the claim makes; None if it is none of them."""
    places = dict.fromkeys([*(point(question.cell, *place) for place in PLACES), refuted_at])
    found = Evidence(question, claim, tuple(places))
    return (
        single(found, TELLING)
        or combination(found)
        or single(found, PLAIN)
        or pair(found, *(known(question, TELLING, at) for at in found.points))
        or _transposed(found)
        or single(found, COMPOSED)
        or _vector(found)
    )


@lru_cache(maxsize=64)
def known(question: Jacobian, part: str, at: Point) -> tuple[Array | None, ...]:
    """Every known mistake in numbers; None where its factors do not fit together."""
    return matrices([mistake.formula for mistake in catalogue(question, part)], at)


def single(found: Evidence, part: str) -> Mistake | None:
    """The first mistake of the catalogue that the claim equals at every point."""
    first = known(found.question, part, found.points[0])
    for k, mistake in enumerate(catalogue(found.question, part)):
        candidate = first[k]
        if candidate is not None and close(found.claimed[0], candidate):
            others = [known(found.question, part, at)[k] for at in found.points[1:]]
            if all_close(found.claimed[1:], others) and found.agrees(mistake.formula):
                return mistake
    return None


def _vector(found: Evidence) -> Mistake | None:
    """A vector where its diagonal belongs, and perhaps one mistake more."""
    if any(matrix.ndim != 1 for matrix in found.claimed):
        return None
    text = "a Jacobian is a matrix: the vector stands on its diagonal, np.diag(v)"
    vector = Mistake("a vector for its diagonal", text, found.question)
    diagonals = Evidence(found.question, lambda at: np.diag(found.claim(at)), found.points)
    if all_close(diagonals.claimed, diagonals.right):
        return vector
    again = single(diagonals, TELLING) or combination(diagonals) or single(diagonals, PLAIN)
    return vector.and_also(again, again.formula) if again else None


def _transposed(found: Evidence) -> Mistake | None:
    """The whole transposed, and one mistake more."""
    if any(matrix.ndim != 2 for matrix in found.claimed):
        return None
    flipped = Evidence(found.question, lambda at: found.claim(at).T, found.points)
    again = single(flipped, TELLING) or combination(flipped)
    if again is None:
        return None
    layout = next(m for m in catalogue(found.question) if m.name == "the whole transposed")
    return layout.and_also(again, again.formula.T)
