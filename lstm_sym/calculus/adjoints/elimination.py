"""Elementwise nodes taken out of a cell's graph by the chain rule, as the gate deltas of the adjoint need it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import sympy as sp

from lstm_sym.calculus.derive import local_derivatives
from lstm_sym.cell import Affine, Cell, Elementwise, Node
from lstm_sym.cell.graph import unit

#: Affine node → (the one node that reads it, what that adds to it inside a function).
Sums: TypeAlias = Mapping[str, tuple[str, sp.Expr]]


def activated_sums(cell: Cell, kept: Collection[str]) -> Sums:
    """Affine node → (the one node that reads it, what that adds to it inside a function), σ(a_f + p_f⊙c).

    Of several affine nodes in a sum it is the last. Nodes in ``kept`` mean themselves; sums within sums stay.
    """
    readers = {name: [node for node in cell.nodes if name in node.reads] for name in cell.node}
    found: dict[str, tuple[str, sp.Expr]] = {}
    for node in cell.nodes:
        if not isinstance(node, Elementwise):
            continue
        sums = {a for f in node.expression.atoms(sp.Function) for a in f.args if a.is_Add}
        for total in sorted(sums, key=sp.default_sort_key):
            if any(other != total and other.has(total) for other in sums):
                continue
            for affine in reversed(cell.nodes):
                a = unit(affine.name)
                alone = isinstance(affine, Affine) and readers[affine.name] == [node] and affine.name not in kept
                once = not (total - a).has(a) and not node.expression.xreplace({total: sp.Dummy()}).has(a)
                if alone and once and a in total.args:
                    found[affine.name] = (node.name, total - a)
                    break
    return found


def without_sums(node: Node, sums: Sums) -> Node:
    """``node`` with the affine nodes standing for the sums that they are part of."""
    if isinstance(node, Affine):
        return node
    inside = {unit(name) + rest: unit(name) for name, (reader, rest) in sums.items() if reader == node.name}
    return Elementwise(node.name, node.expression.xreplace(inside))


def before_their_readers(nodes: Sequence[Node], cell: Cell, sums: Sums) -> list[Node]:
    """``nodes`` with those that stand for sums last among what the nodes that read them depend on."""
    places = {name: place for place, name in enumerate(cell.node)}
    return sorted(nodes, key=lambda n: places[sums[n.name][0]] - 0.5 if n.name in sums else places[n.name])


def eliminated(node: Elementwise, nodes: Sequence[Node], kept: Collection[str]) -> dict[str, sp.Expr]:
    """∂node/∂vector through elementwise ``nodes`` that are not ``kept``; zeros left out."""
    found = dict(local_derivatives(node))
    for inner in reversed(nodes):
        if isinstance(inner, Elementwise) and inner.name in found and inner.name not in kept:
            outer = found.pop(inner.name)
            for name, derivative in local_derivatives(inner).items():
                found[name] = found.get(name, sp.S.Zero) + outer * derivative
    return {name: derivative for name, derivative in found.items() if derivative != 0}
