"""The range of every vector of a cell, by interval reasoning over its graph and invariance of its states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp

from lstm_sym.calculus.bounds.extrema import enclosure
from lstm_sym.calculus.bounds.intervals import REALS, Range, intersection, less, union
from lstm_sym.calculus.coefficients import exact
from lstm_sym.cell import Affine, Cell, Elementwise
from lstm_sym.cell.graph import unit
from lstm_sym.checks import real_scalar, unknown_name
from lstm_sym.functions import maximum, positive
from lstm_sym.notation import lag_of, lagged

Ranges = dict[str, Range]
Given = tuple[tuple[str, Range], ...]

#: How many steps a range may grow by itself.
ROUNDS = 4
#: Where an end that keeps moving is tried next.
THRESHOLDS = (sp.S.Zero, sp.S.One, sp.oo)


def given_ranges(cell: Cell, given: Mapping[str, Any]) -> Given:
    """Ranges that are given by name, f=(0, 0.9), as exact intervals.

    Raises:
        UnknownNameError: a name that is no vector of the cell.
        ValueError: not two numbers in ascending order.
    """
    found = []
    for name, ends in given.items():
        if name not in (*cell.states, *cell.inputs, *cell.node, *cell.vector_parameters) or name in cell.constants:
            known = dict.fromkeys((*cell.states, *cell.inputs, *cell.node, *cell.vector_parameters))
            raise unknown_name(f"vector of {cell.name}", name, [n for n in known if n not in cell.constants])
        if not isinstance(ends, (tuple, list)) or len(ends) != 2:
            raise ValueError(f"{name} = {ends!r}: expected a range, (low, high).")
        low, high = (exact(real_scalar(name, end)) for end in ends)
        if less(high, low):
            raise ValueError(f"{name} = {ends!r}: expected (low, high) with low ≤ high.")
        found.append((name, Range(low, high)))
    return tuple(found)


@lru_cache(maxsize=256)
def ranges(cell: Cell, given: Given = ()) -> Ranges:
    """The range of every vector at every step of any run from the zero state, whatever the inputs and parameters.

    States start at [0, 0] and grow to what a step makes of them until a step adds nothing: the range found is
    invariant. Where it keeps growing it is tried where a geometric growth would end (|c| ≤ 10 for c = f⊙c + i⊙g
    with f ≤ 0.9), then up to ±1, and then without end. Constants have their values.
    """
    known = dict(given)
    states = {state: known.get(state, Range(sp.S.Zero, sp.S.Zero)) for state in cell.states}
    history: list[Ranges] = []
    while True:  # after the first rounds every end moves a few times at most
        after = _step(cell, states, known)
        grown = {state: union(before, after[state]) for state, before in states.items()}
        if grown == states:
            return {**after, **{lagged(state): _within(known, state, found) for state, found in states.items()}}
        history.append(states)
        if len(history) == ROUNDS:
            before = history[-2]
            states = {s: _where_growth_ends(before[s], states[s], grown[s]) for s in states}
        else:
            states = grown if len(history) < ROUNDS else {s: _widened(states[s], grown[s]) for s in states}


def _where_growth_ends(a: Range, b: Range, c: Range) -> Range:
    """The limits of ends that grow geometrically from a to b to c; the others are c's."""
    return Range(-_limit(-a.low, -b.low, -c.low), _limit(a.high, b.high, c.high))


def _limit(a: sp.Expr, b: sp.Expr, c: sp.Expr) -> sp.Expr:
    """The limit of a, b, c, … if their differences are those of a geometric series that converges, else c."""
    if not (a.is_Rational and b.is_Rational and c.is_Rational and b - a > c - b > 0):
        return c
    return c + (c - b) ** 2 / ((b - a) - (c - b))


def _widened(before: Range, now: Range) -> Range:
    """Ends that moved go on to the next threshold."""
    low = -next(t for t in THRESHOLDS if not less(t, -now.low)) if less(now.low, before.low) else now.low
    high = next(t for t in THRESHOLDS if not less(t, now.high)) if less(before.high, now.high) else now.high
    return Range(low, high)


def _within(known: Ranges, name: str, found: Range) -> Range:
    if name not in known:
        return found
    shared = intersection(found, known[name])
    if less(shared.high, shared.low):
        given = ", ".join(map(str, known[name]))
        raise ValueError(f"{name} = ({given}): {name} stays between {found.low} and {found.high}.")
    return shared


def _step(cell: Cell, states: Ranges, known: Ranges) -> Ranges:
    """The range of every vector of one step from states in ``states``."""
    found = {name: _within(known, name, REALS) for name in (*cell.inputs, *cell.vector_parameters)}
    found |= {name: Range(exact(value), exact(value)) for name, value in cell.constants.items()}
    found |= {lagged(state): _within(known, state, interval) for state, interval in states.items()}
    twins = {unit(name): twin for name, twin in inlined(cell, tuple(known.items())).items()}
    for node in cell.nodes:
        if isinstance(node, Affine):
            found[node.name] = _within(known, node.name, REALS)
            continue
        box = {unit(name): interval for name, interval in found.items()}
        found[node.name] = _within(known, node.name, enclosure(node.expression.xreplace(twins), box))
    return found


def inlined(cell: Cell, given: Given = ()) -> dict[str, sp.Expr]:
    """Nodes that are better seen as what they stand for: i = 1 − f of coupled gates, and m = max(a, b).

    Then f⊙c + i⊙g is a convex combination, and exp(a − m) is at most 1. Those with a given range stay.
    """
    found: dict[str, sp.Expr] = {}
    for node in cell.nodes:
        if isinstance(node, Elementwise) and node.name not in dict(given):
            of_one = len(node.reads) == 1 and node.expression.is_polynomial()
            larger = node.expression if isinstance(node.expression, maximum) else _as_maximum(cell, node)
            if larger is not None or of_one:
                found[node.name] = larger or node.expression
    return found


def _as_maximum(cell: Cell, node: Elementwise) -> sp.Expr | None:
    """max(a, b) for p⊙a + (1 − p)⊙b with p = [a − b > 0]."""
    for name in node.reads:
        choice = cell.node.get(name)
        if isinstance(choice, Elementwise) and isinstance(choice.expression, positive):
            a, b = (node.expression.xreplace({unit(name): sp.Integer(value)}) for value in (1, 0))
            mixed = unit(name) * a + (1 - unit(name)) * b
            if sp.expand(node.expression - mixed) == 0 == sp.expand(a - b - choice.expression.args[0]):
                return maximum(a, b)
    return None


def range_of(found: Ranges, name: str) -> Range:
    """The range of a vector at any time: older ones share that of their name."""
    return found[name] if name in found else found[lag_of(name)[0]]
