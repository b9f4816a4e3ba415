"""``limit``: Jacobians where gates are open, closed or saturated, and ``zero_state``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, overload

import numpy as np
import sympy as sp

from lstm_sym.calculus.bounds.intervals import REALS
from lstm_sym.calculus.bounds.ranges import range_of, ranges
from lstm_sym.calculus.coefficients import evaluated, exact
from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.explicit import shifted, vector
from lstm_sym.calculus.limits.stationary import ZeroState, zero_state
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import merged
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, Elementwise
from lstm_sym.cell.graph import unit
from lstm_sym.checks import finite, unknown_name
from lstm_sym.functions import Activation
from lstm_sym.notation import lag_of, lagged, unicode_timeless

__all__ = ["ZeroState", "limit", "zero_state"]

Values = dict[str, sp.Expr]


@overload
def limit(value: Jacobian, /, *, saturated: Any = ..., **values: Any) -> Jacobian: ...
@overload
def limit(value: JacobianTable | Cell, /, *, saturated: Any = ..., **values: Any) -> JacobianTable: ...
def limit(
    value: Jacobian | JacobianTable | Cell, /, *, saturated: Any = (), **values: Any
) -> Jacobian | JacobianTable:
    """The Jacobian in a limit: gates that go to a value, at every step, and with them what follows from it.

    A gate that goes to 0 or 1 takes its slope with it. Gates in ``saturated`` lose their slopes and keep their
    values as symbols.

    >>> import lstm_sym as ls
    >>> J = ls.jacobian(ls.LSTM, "c", "h")
    >>> ls.limit(J, f=1, i=0)
    0
    >>> ls.limit(J, saturated="f i")
    diag(i⊙(1−g²))·W_hg
    >>> ls.limit(ls.jacobian(ls.GRU, "h", "h"), r=1, z=0)
    diag(1−n²)·W_qn

    Args:
        value: a Jacobian, a table of them, or a cell, for that of its whole state.
        saturated: names of gates, separated by blanks (or a sequence).
        **values: numbers by name; f means f at all times, f_prev at that time alone. An equation that leaves one
            quantity no choice, i = 1 − f, sets that as well.

    Returns:
        A ``Jacobian`` or a ``JacobianTable`` like the one given; ``evaluate`` needs only what is left in it.

    Raises:
        UnknownNameError: a name that is not in the cell, or no gate in ``saturated``.
        ValueError: a value that the quantity never comes near (f = 2), or values that contradict an equation.
    """
    if not isinstance(value, (Jacobian, JacobianTable, Cell)):
        raise TypeError(f"a limit of a {type(value).__name__}: expected a Cell, or a Jacobian by a vector.")
    table = jacobian(value, "state", "state") if isinstance(value, Cell) else value
    cell = table.cell
    gates = _saturated(cell, saturated)
    limits = _consequences(cell, {name: _checked(cell, name, number) for name, number in values.items()})
    return _changed(table, limits, gates) if isinstance(table, Jacobian) else _all_changed(table, limits, gates)


def _all_changed(table: JacobianTable, limits: Values, gates: tuple[str, ...]) -> JacobianTable:
    return replace(table, blocks={place: _changed(b, limits, gates) for place, b in table.blocks.items()})


def _changed(value: Jacobian, limits: Values, gates: tuple[str, ...]) -> Jacobian:
    """Slopes of saturated gates are zero, those of gates with a value are what it says, and values are put in."""
    cell = value.cell
    names = {symbol.name for term in value.terms for d in term.diagonals for symbol in d.free_symbols}
    lags = sorted({0, 1, *(lag_of(name)[1] for name in names)})
    changes: dict[sp.Expr, sp.Expr] = {}
    for name, level in [*((gate, None) for gate in gates), *limits.items()]:
        base, lag = lag_of(name)
        for older in [lag] if lag else lags:
            if level is not None:
                changes[shifted(cell, unit(base), older)] = level
            if (gate := _gate(cell, base)) is not None:
                slope = sp.S.Zero if level is None else gate.slope_from_value(level)
                changes.setdefault(shifted(cell, gate.slope(gate.args[0]), older), slope)
                changes.setdefault(
                    shifted(cell, gate, older), unit(lagged(base, older)) if level is None else level
                )
    terms = (term.map(lambda d: evaluated(d.xreplace(changes))) for term in value.terms)
    said = [f"{unicode_timeless(gate)} saturated" for gate in gates]
    said += [f"{unicode_timeless(name)} → {level}" for name, level in limits.items()]
    return replace(value, terms=merged(terms, cell.parameters), limits=(*value.limits, *said))


def _gate(cell: Cell, name: str) -> Activation | None:
    """σ(a_f) for the name f of a node that is a bare activation."""
    node = cell.node.get(name)
    if isinstance(node, Elementwise) and isinstance(node.expression, Activation):
        return node.expression
    return None


def _saturated(cell: Cell, names: Any) -> tuple[str, ...]:
    chosen = tuple(names.split() if isinstance(names, str) else map(str, names))
    gates = [name for name in cell.node if _gate(cell, name) is not None]
    for name in chosen:
        if name not in gates:
            raise unknown_name(f"gate of {cell.name}", name, gates)
    return chosen


def _checked(cell: Cell, name: str, number: Any) -> sp.Expr:
    """The number as an exact one, in the closed range of what is called ``name``."""
    if name not in cell.states:
        vector(cell, name)
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, float, np.number, sp.Expr)):
        raise TypeError(f"{name} = {number!r}: expected a number.")
    level = number if isinstance(number, sp.Expr) else exact(finite(name, number).item())
    if not level.is_number or not level.is_extended_real or level.is_infinite:
        raise ValueError(f"{name} = {number}: expected a finite real number.")
    interval = range_of(ranges(cell), name) if name not in cell.constants else REALS
    if not interval.contains(level):
        raise ValueError(f"{name} = {number}: {name} stays between {interval.low} and {interval.high}.")
    return level


def _consequences(cell: Cell, given: Values) -> Values:
    """``given`` with all that follows from it by the equations; those that name a time imply nothing further."""
    known = dict(given)
    within = {name: level for name, level in given.items() if not lag_of(name)[1]}
    while True:
        here = within | {lagged(state): within[state] for state in cell.states if state in within}
        found: Values = {}
        for node in cell.nodes:
            if isinstance(node, Elementwise):
                found |= _follows(cell, node, {unit(name): level for name, level in here.items()})
        new = {name: level for name, level in found.items() if name not in here}
        for name, level in found.items():
            if name in here and here[name] != level and evaluated(here[name] - level) != 0:
                raise ValueError(
                    f"{name} = {here[name]} contradicts the equations of {cell.name}: {name} = {level}."
                )
        if not new:
            return known | {name: level for name, level in within.items() if name not in known}
        within |= {lag_of(name)[0] if name in map(lagged, cell.states) else name: v for name, v in new.items()}


def _follows(cell: Cell, node: Elementwise, here: Mapping[sp.Symbol, sp.Expr]) -> Values:
    """What an equation says once some of its quantities are numbers: its left side, or the last on its right."""
    right = evaluated(node.expression.xreplace(dict(here)))
    if right.is_number:
        return {node.name: right}
    left = here.get(unit(node.name))
    if left is None or len(right.free_symbols) > 1:
        return {}
    (last,) = right.free_symbols
    if last.name not in cell.vectors or not right.is_polynomial() or sp.degree(right, last) != 1:
        return {}
    (level,) = sp.solve(right - left, last)
    return {last.name: _checked(cell, last.name, level)}
