"""The decision: numbers refute, proofs confirm, and what is refuted is explained."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import sympy as sp

from lstm_sym.calculus.proofs.verification import VerificationError, compare_entries
from lstm_sym.calculus.proofs.writtenout import WrittenOut
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, Elementwise
from lstm_sym.claims.binding import misfit, sized
from lstm_sym.claims.difference import difference
from lstm_sym.claims.functions import Claimed
from lstm_sym.claims.identity import identical
from lstm_sym.claims.mistakes import PLAIN, TELLING, catalogue
from lstm_sym.claims.numerics import Numbers, close, matrices, true
from lstm_sym.claims.points import POINTS, Point, points
from lstm_sym.claims.recognition import recognised
from lstm_sym.claims.verdicts import CounterExample, Verdict
from lstm_sym.functions import Array
from lstm_sym.notation import lag_of

#: Sizes at which a right formula is proved.
SIZES = (2, 3)


@lru_cache(maxsize=8)
def _written(cell: Cell, n: int) -> WrittenOut:
    return WrittenOut(cell, n)


def decide_formula(question: Jacobian, claimed: Jacobian) -> Verdict:
    """The verdict on a formula, exactly."""
    if reason := misfit(question, claimed.terms):
        return _ill_shaped(question, claimed, reason)

    def numbers(at: Point) -> Array:
        return _numbers(claimed, at)

    if at := _refuted(question, numbers):
        mistake = recognised(question, numbers, at)
        return Verdict(
            False,
            question,
            str(claimed),
            "",
            claimed,
            mistake=mistake,
            difference=difference(claimed, question),
            counterexample=_example(question, at, numbers(at), claimed),
        )
    return _proved(question, claimed)


def _proved(question: Jacobian, claimed: Jacobian) -> Verdict:
    """The claim agrees at every point: a proof, or the admission that there is none."""
    try:
        entries = sum(compare_entries(_written(question.cell, n), claimed) for n in SIZES)
    except VerificationError:
        if not _foreign(question, claimed):
            return _differs_slightly(question, claimed)
        text = (
            f"it agrees at {len(POINTS)} random points to 1e-9; it is not proved, since it uses functions or older"
            " quantities that the proof takes for independent"
        )
        return Verdict(True, question, str(claimed), text, claimed)
    text = f"proved at n = {SIZES[0]} and {SIZES[1]}: {entries} entries equal to SymPy's Matrix.jacobian, exactly"
    if identical(claimed, question):
        text += "; its terms are those of the derived formula, at every n"
    return Verdict(True, question, str(claimed), text, claimed, proved=True)


def _foreign(question: Jacobian, claimed: Jacobian) -> bool:
    """Whether the claim uses what the proof takes for independent of the rest: functions, older quantities."""
    own = {
        f
        for node in question.cell.nodes
        if isinstance(node, Elementwise)
        for f in node.expression.atoms(sp.Function)
    }
    diagonals = [diagonal for term in claimed for diagonal in term.diagonals]
    if any(d.atoms(sp.Function) - own for d in diagonals):
        return True
    oldest = 2 if question.path == "total" else 1
    older = {lag_of(s.name) for d in diagonals for s in d.free_symbols}
    return any(lag >= oldest and (lag > 1 or name not in question.cell.states) for name, lag in older)


def _differs_slightly(question: Jacobian, claimed: Jacobian) -> Verdict:
    """A claim that is refuted by the proof, and by no numbers in double precision."""
    at = max(points(question.cell), key=lambda p: float(np.abs(_gap(question, claimed, p)).max(initial=0.0)))
    example = _example(question, at, _numbers(claimed, at), claimed)
    text = "the numbers agree to 1e-9; the expanded entries differ"
    return Verdict(
        False,
        question,
        str(claimed),
        text,
        claimed,
        difference=difference(claimed, question),
        counterexample=example,
    )


def _gap(question: Jacobian, claimed: Jacobian, at: Point) -> Array:
    return _numbers(claimed, at) - true(question, at)


def _numbers(claimed: Jacobian, at: Point) -> Array:
    (found,) = matrices([claimed], at)
    assert found is not None
    return found


def decide_function(question: Jacobian, claimed: Claimed) -> Verdict:
    """The verdict on a function, at random points."""
    at = _refuted(question, claimed)
    if at is None:
        sizes = list(dict.fromkeys(n for n, _, _ in POINTS))
        listed = f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}"
        text = f"it agrees with the exact Jacobian at {len(POINTS)} random points, n = {listed}, to 1e-9"
        return Verdict(True, question, claimed.name, text)
    found, expected = claimed(at), sized(at.sizes, question.shape)
    mistake = recognised(question, claimed, at)
    changes = difference(mistake.formula, question) if mistake else ()
    if found.shape != expected:
        text = f"it has shape {found.shape} at {at}, and {expected}, ({', '.join(question.shape)}), was expected"
        return Verdict(False, question, claimed.name, text, mistake=mistake, difference=changes)
    formula = mistake.formula if mistake else None
    example = _example(question, at, found, formula)
    return Verdict(False, question, claimed.name, "", mistake=mistake, difference=changes, counterexample=example)


def _refuted(question: Jacobian, claim: Numbers) -> Point | None:
    """The first point at which the claim is wrong."""
    for at in points(question.cell):
        if not close(claim(at), true(question, at)):
            return at
    return None


def _example(question: Jacobian, at: Point, found: Array, claimed: Jacobian | None) -> CounterExample:
    right = true(question, at)
    gap = np.where(np.isfinite(found), np.abs(found - right), np.inf)
    a, b = (int(k) for k in np.unravel_index(int(gap.argmax()), gap.shape))
    return CounterExample(at, (a, b), float(found[a, b]), float(right[a, b]), _read(question, claimed))


def _read(question: Jacobian, claimed: Jacobian | None) -> tuple[str, ...]:
    """The quantities that the formulas read as they are printed, vectors first, new ones before old ones."""
    terms = [*question, *(claimed or ())]
    vectors: set[sp.Symbol] = {s for term in terms for d in term.diagonals for s in d.free_symbols}
    names = sorted((s.name for s in vectors), key=lambda name: (lag_of(name)[1], name))
    return (*names, *dict.fromkeys(weight.name for term in terms for weight in term.weights))


def _ill_shaped(question: Jacobian, claimed: Jacobian, reason: str) -> Verdict:
    """A formula whose factors, or whose shape, do not fit; the mistakes that do this are compared as formulas."""
    mistake = next(
        (
            m
            for part in (TELLING, PLAIN)
            for m in catalogue(question, part)
            if misfit(question, m.formula.terms) and identical(_plain(m.formula), _plain(claimed))
        ),
        None,
    )
    return Verdict(
        False,
        question,
        str(claimed),
        f"its shape does not fit: {reason}",
        claimed,
        mistake=mistake,
        difference=difference(claimed, question),
    )


def _plain(formula: Jacobian) -> Jacobian:
    return replace(formula, transposed=False)
