"""Mistakes that add up: paths dropped, flipped or counted twice, and two known mistakes at different places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import sympy as sp

from lstm_sym.calculus.terms import Term, merged
from lstm_sym.calculus.values import Jacobian
from lstm_sym.claims.mistakes import Mistake, Piece, catalogue, truth
from lstm_sym.claims.numerics import LEAST, TOLERANCE, Evidence, all_close, close, matrices
from lstm_sym.functions import Array

#: Pairs of mistakes are looked for among so many of the first.
PAIRED = 150


def combination(found: Evidence) -> Mistake | None:
    """A path dropped, its sign wrong, counted twice: the claim is a combination of the right pieces."""
    pieces = truth(found.question).pieces
    if not pieces or not found.fits:
        return None
    parts = [replace(found.question, terms=(piece.term,)) for piece in pieces]
    numbers = [[part for part in matrices(parts, at) if part is not None] for at in found.points]
    columns = np.concatenate([np.stack([part.ravel() for part in some], axis=1) for some in numbers])
    wanted = np.concatenate([matrix.ravel() for matrix in found.claimed])
    solution, _, rank, _ = np.linalg.lstsq(columns, wanted, rcond=None)
    if rank < len(pieces) or not close(columns @ solution, wanted):
        return None
    mistake = _named(found.question, [float(f"{f:.9g}") if abs(f) > TOLERANCE else 0.0 for f in solution])
    return mistake if found.agrees(mistake.formula) else None


def _named(question: Jacobian, factors: Sequence[float]) -> Mistake:
    """The mistake of counting each piece so many times."""
    pieces = truth(question).pieces
    exact = [sp.nsimplify(factor, rational=True, tolerance=TOLERANCE) for factor in factors]
    terms = [Term((factor,)) @ piece.term for factor, piece in zip(exact, pieces, strict=True)]
    formula = replace(question, terms=merged(terms, question.cell.parameters))
    if not any(factors):
        return Mistake("everything dropped", f"it does change: {_titles(pieces)}", formula)
    if len(set(factors)) == 1:
        if factors[0] == -1:
            return Mistake("a sign error", "the whole has the wrong sign", formula)
        return Mistake("a constant factor", f"the whole is counted {factors[0]:.6g} times", formula)
    counted = list(zip(factors, pieces, strict=True))
    said = [
        ("a path dropped", "what comes {} is missing", _titles([p for f, p in counted if f == 0])),
        ("a sign error", "what comes {} has the wrong sign", _titles([p for f, p in counted if f == -1])),
    ]
    for factor in sorted(set(factors) - {0, 1, -1}):
        text = f"what comes {{}} is counted {factor:.6g} times"
        said.append(("a constant factor", text, _titles([p for f, p in counted if f == factor])))
    names = dict.fromkeys(name for name, _, which in said if which)
    return Mistake(" and ".join(names), "; ".join(text.format(which) for _, text, which in said if which), formula)


def _titles(pieces: Sequence[Piece]) -> str:
    return " and ".join(dict.fromkeys(piece.title for piece in pieces))


def pair(found: Evidence, *known: Sequence[Array | None]) -> Mistake | None:
    """Two mistakes at different places add up; ``known`` are the telling mistakes' numbers at every point."""
    if not found.fits:
        return None
    deviations = [_deviations(some, right) for some, right in zip(known, found.right, strict=True) if some]
    wanted = [claimed - right for claimed, right in zip(found.claimed, found.right, strict=True)]
    for j in range(len(deviations[0]) if deviations else 0):
        first = deviations[0]
        rest = np.abs(first[j + 1 :] + first[j] - wanted[0]).max(axis=(1, 2), initial=0.0)
        scale = TOLERANCE * max(float(np.abs(found.claimed[0]).max(initial=0.0)), LEAST)
        for k in j + 1 + np.flatnonzero(rest <= scale) if first[j].any() else ():
            if all_close(wanted, [d[j] + d[k] for d in deviations]):
                both = _both(found.question, *(catalogue(found.question)[place] for place in (j, k)))
                if found.agrees(both.formula):
                    return both
    return None


def _deviations(known: Sequence[Array | None], right: Array) -> Array:
    """How far each mistake is from the truth, (mistakes, rows, columns); 0 for those of another shape."""
    first = known[:PAIRED]
    return np.stack([np.zeros_like(right) if m is None or m.shape != right.shape else m - right for m in first])


def _both(question: Jacobian, one: Mistake, two: Mistake) -> Mistake:
    minus = [Term((sp.S.NegativeOne,)) @ term for term in question.terms]
    terms = merged((*one.formula.terms, *two.formula.terms, *minus), question.cell.parameters)
    return one.and_also(two, replace(question, terms=terms))
