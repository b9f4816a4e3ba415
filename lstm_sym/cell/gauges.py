"""Directions of the state that change nothing but the state itself: the gauge freedom of a cell.

An sLSTM's c and n may be scaled by e^−ε if its stabiliser m is raised by ε: h, and all that is ever computed from
it, stays as it is. Tangents along such a direction are no physics, and neither is their growth.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from lstm_sym.cell.equations import Line, LineReader
from lstm_sym.cell.graph import CellError, Elementwise

Gauge = Mapping[str, sp.Expr]


def read_gauge(cell: str, given: Mapping[str, str], states: tuple[str, ...]) -> dict[str, sp.Expr]:
    """How each state moves along the gauge direction, as a per-unit expression in the states: {"c": −c, "m": 1}."""
    if not isinstance(given, Mapping) or not given:
        raise TypeError(f"{cell}: gauge = {given!r:.60}: expected a dict from states to texts, or several of them.")
    found: dict[str, sp.Expr] = {}
    for state, text in given.items():
        if state not in states or not isinstance(text, str):
            known = ", ".join(states)
            raise CellError(f"{cell}: gauge[{state!r}] = {text!r}: expected a state, {known}, and a text.")
        (node,) = LineReader(cell, Line(state, text, "", 0), states, (), {}).read()
        if not isinstance(node, Elementwise):
            raise CellError(f"{cell}: gauge[{state!r}] = {text!r}: expected an expression in the states.")
        found[state] = node.expression
    return found
