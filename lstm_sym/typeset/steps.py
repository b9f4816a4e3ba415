"""The steps of a derivation: the chain rule over a cell's graph, one node after another, from wrt to of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import sympy as sp

from lstm_sym.calculus.derive import accumulate, local_derivatives, within_step
from lstm_sym.calculus.explicit import shifted
from lstm_sym.calculus.terms import IDENTITY, Terms
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Affine, Cell, Node, Weight
from lstm_sym.cell.order import ancestors
from lstm_sym.notation import lag_of, lagged
from lstm_sym.typeset.rules import Rule, affine_rule, elementwise_rule, slope_rules


@dataclass(frozen=True)
class Derivative:
    """∂of/∂wrt by name, two code names; a total derivative is written with d, a direct one marked."""

    of: str
    wrt: str
    path: str = "partial"


@dataclass(frozen=True)
class Local:
    """diag(expression), the derivative of an elementwise node; slopes as they come, σ′(a), or through gates."""

    expression: sp.Expr
    through_gates: bool = False


#: Terms stand in brackets where there are several, and other factors beside them.
Factor: TypeAlias = Derivative | Local | Weight | Terms
Addend: TypeAlias = tuple[Factor, ...]


@dataclass(frozen=True)
class Step:
    """One line: ``left`` = Σ ``addends``; without ``left`` it continues the line above. ``rules`` lead to it."""

    left: Derivative | None
    addends: tuple[Addend, ...]
    rules: tuple[Rule, ...]


Block: TypeAlias = tuple[Step, ...]


def on_the_way(cell: Cell, of: str, wrt: str) -> list[Node]:
    """The nodes through which ``of`` depends on ``wrt``, ``of`` last."""
    found = accumulate(cell, wrt)
    return [node for node in ancestors(cell, [of]) if node.name in found and node.name != wrt]


def blocks(value: Jacobian) -> list[Block]:
    """The derivation of a Jacobian, node by node; the last line of the last block is its terms."""
    cell, of, wrt = value.cell, value.of, value.wrt
    if value.path == "total":
        return _total(value)
    found = _partial(cell, of, wrt)
    if value.path == "direct":
        left = Derivative(of, wrt, "direct")
        found.append((Step(left, _terms(value.terms), ("only what passes no weight matrix",)),))
    return found


def _partial(cell: Cell, of: str, wrt: str) -> list[Block]:
    """The derivation of ∂of/∂wrt, the other vectors that enter the step held fixed."""
    if of == wrt:
        return [(Step(Derivative(of, wrt), _terms((IDENTITY,)), ("a vector by itself",)),)]
    nodes = on_the_way(cell, of, wrt)
    if not nodes:
        return [(Step(Derivative(of, wrt), (), ("no path leads from one to the other",)),)]
    return [_at_node(cell, node, wrt) for node in nodes]


def _at_node(cell: Cell, node: Node, wrt: str) -> Block:
    """The chain rule at one node, what is known put in, and the result collected."""
    found = accumulate(cell, wrt)
    edges = list(_edges(cell, node, wrt))
    vectors = list(dict.fromkeys(vector for _, vector in edges))
    rule = affine_rule(node, vectors) if isinstance(node, Affine) else elementwise_rule(node, vectors)
    slopes = slope_rules(f.expression for factors, _ in edges for f in factors if isinstance(f, Local))
    chain = tuple((*factors, *_unless(v == wrt, Derivative(v, wrt))) for factors, v in edges)
    inserted = tuple((*map(_gated, factors), *_unless(v == wrt, found[v])) for factors, v in edges)
    return (
        Step(Derivative(node.name, wrt), chain, rule),
        Step(None, inserted, slopes or ("substitution",)),
        Step(None, _terms(found[node.name]), _collecting(len(inserted), found, vectors, node)),
    )


def _edges(cell: Cell, node: Node, wrt: str) -> Iterator[tuple[Addend, str]]:
    """(∂node/∂v, v) for every v on the way that the node reads."""
    found = accumulate(cell, wrt)
    if isinstance(node, Affine):
        for factor, vector in node.products:
            if vector in found:
                yield (cell.factor(factor),), vector
        for bias in node.biases:
            if bias in found:
                yield (), bias
        return
    local = local_derivatives(node)
    for name in (*cell.vectors, *cell.vector_parameters):
        if name in found and name in local:
            yield (Local(local[name]),), name


def _unless(left_out: bool, factor: Factor) -> Addend:
    return () if left_out else (factor,)


def _gated(factor: Factor) -> Factor:
    return replace(factor, through_gates=True) if isinstance(factor, Local) else factor


def _terms(terms: Terms) -> tuple[Addend, ...]:
    return tuple(((term,),) for term in terms)


def _collecting(addends: int, found: dict[str, Terms], vectors: list[str], node: Node) -> tuple[Rule, ...]:
    """What collecting the products takes: diagonals that meet are multiplied, equal weights are joined."""
    before = addends - len(vectors) + sum(len(found[vector]) for vector in vectors)
    joined = before > len(found[node.name])
    multiplied = not isinstance(node, Affine)
    return ("diagonals multiply",) * multiplied + ("equal factors taken out",) * joined or ("multiplied out",)


def _total(value: Jacobian) -> list[Block]:
    """The derivation of d of/d wrt: what wrt does to the other states of its own step comes in addition."""
    cell, of, wrt = value.cell, value.of, value.wrt
    lines = _partial(cell, of, wrt)
    chain: list[Addend] = [(Derivative(of, wrt),)] if accumulate(cell, wrt).get(of) else []
    known: list[Addend] = [(accumulate(cell, wrt)[of],)] if chain else []
    now, lag = lag_of(wrt)
    others = within_step(cell, now) if lag else {}
    for state, effect in others.items():
        through = accumulate(cell, lagged(state)).get(of)
        if state == now or not through:
            continue
        earlier = tuple(term.map(lambda d: shifted(cell, d)) for term in effect)
        lines += [*_partial(cell, of, lagged(state)), *_partial(cell, state, now)]
        lines.append((Step(Derivative(lagged(state), wrt), _terms(earlier), ("the same one step earlier",)),))
        chain.append((Derivative(of, lagged(state)), Derivative(lagged(state), wrt)))
        known.append((through, earlier))
    last = (
        Step(Derivative(of, wrt, "total"), tuple(chain), ("chain rule over the states",)),
        Step(None, tuple(known), ("substitution",)),
        Step(None, _terms(value.terms), ("multiplied out",)),
    )
    return [*lines, last]
