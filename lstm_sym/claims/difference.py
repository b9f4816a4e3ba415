"""How a claimed formula differs from the right one, term by term: what is missing, what is too much."""

from __future__ import annotations

from dataclasses import replace

from lstm_sym.calculus.terms import Term, Terms, merged
from lstm_sym.calculus.text import unicode_sum
from lstm_sym.calculus.values import Jacobian
from lstm_sym.claims.identity import by_weights, same_terms

Lines = tuple[tuple[str, str], ...]


def difference(claimed: Jacobian, right: Jacobian) -> Lines:
    """(what, terms) for every product of weights whose terms differ: "missing", "extra" or "instead of"."""
    theirs, ours = by_weights(claimed.terms), by_weights(right.terms)
    lines: list[tuple[str, str]] = []
    for weights in dict.fromkeys((*ours, *theirs)):
        wrong, correct = _without_common(right, theirs.get(weights, ()), ours.get(weights, ()))
        if not wrong and not correct:
            continue
        if wrong and correct:
            lines.append(("differs", f"{_text(right, wrong)}, where it should be {_text(right, correct)}"))
        else:
            lines.append(("too much", _text(right, wrong)) if wrong else ("missing", _text(right, correct)))
    return tuple(lines)


def _without_common(right: Jacobian, theirs: Terms, ours: Terms) -> tuple[Terms, Terms]:
    """What is left of two sums over the same weights when equal terms are crossed out."""
    if same_terms(right, theirs, ours):
        return (), ()
    wrong, correct = list(theirs), list(ours)
    for term in theirs:
        if twin := next((other for other in correct if same_terms(right, (term,), (other,))), None):
            wrong.remove(term)
            correct.remove(twin)
    return tuple(wrong), tuple(correct)


def _text(right: Jacobian, terms: tuple[Term, ...]) -> str:
    return unicode_sum(replace(right, terms=merged(terms, right.cell.parameters)))
