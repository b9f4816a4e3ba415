"""Gauge freedom proved: the state Jacobian takes a cell's gauge directions to gauge directions of the new state."""

from __future__ import annotations

import sympy as sp

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.explicit import shifted, through_gates
from lstm_sym.calculus.proofs.rational import is_zero
from lstm_sym.calculus.terms import Term, merged
from lstm_sym.cell import Cell, Elementwise
from lstm_sym.cell.gauges import Gauge
from lstm_sym.cell.graph import unit


def is_gauge(cell: Cell, gauge: Gauge) -> bool:
    """Whether J v(s) = λ v(s′) unit by unit, v being the direction that ``gauge`` gives at a state.

    What passes a weight must cancel; of the rest, (J v)_r v_s(s′) = (J v)_s v_r(s′) for any two states.
    """
    images = {state: _image(cell, gauge, state) for state in cell.states}
    through_weights = [term for terms in images.values() for term in terms if not term.is_direct]
    if not all(any(_vanishes(cell, d) for d in term.diagonals) for term in through_weights):
        return False
    moved = {s: sum((t.diagonals[0] for t in terms if t.is_direct), sp.S.Zero) for s, terms in images.items()}
    after = {state: gauge.get(state, sp.S.Zero) for state in cell.states}
    chosen = next(iter(gauge))
    return all(_vanishes(cell, moved[r] * after[chosen] - moved[chosen] * after[r]) for r in cell.states)


def _image(cell: Cell, gauge: Gauge, state: str) -> tuple[Term, ...]:
    """(J v) of one state: Σ ∂state/∂s · v_s over the states s that move."""
    table = jacobian(cell, "state", "state")
    parts = [
        Term((*term.diagonals[:-1], term.diagonals[-1] * shifted(cell, direction)), term.weights)
        for moving, direction in gauge.items()
        for term in table[state, moving].terms
    ]
    return merged(parts, cell.parameters)


def _vanishes(cell: Cell, expression: sp.Expr) -> bool:
    """Whether a per-unit expression is zero, with new states written out through the gates."""
    nodes = [node for node in cell.nodes if isinstance(node, Elementwise) and node.name in cell.states]
    expression = through_gates(cell, expression)
    for node in reversed(nodes):
        expression = through_gates(cell, expression.xreplace({unit(node.name): node.expression}))
    functions = {function: sp.Dummy(real=True) for function in expression.atoms(sp.Function)}
    return is_zero(expression.xreplace(functions))
