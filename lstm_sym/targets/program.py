"""What a kernel computes, told in no language: nodes, diagonals of the Jacobian, coefficients of the recursion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from lstm_sym.calculus.derive import local_derivatives
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.cell import Affine, Cell, Node
from lstm_sym.cell.order import ancestors
from lstm_sym.kernels.blocks import jacobian_blocks
from lstm_sym.kernels.parameters import axis_sizes, state_parameters
from lstm_sym.kernels.recursion import Anchors
from lstm_sym.notation import lagged

Local = Mapping[str, sp.Expr]


@dataclass(frozen=True)
class Program:
    """One cell's step, Jacobian and recursion, in the expressions that the NumPy kernel compiles.

    ``recurrent`` are the nodes that the new states depend on, ``outputs`` the others. ``blocks`` are the terms of
    the state Jacobian by (new state, entering state). ``anchors`` are the nodes that the recursion visits,
    ``local`` the derivatives of its elementwise ones; ``between`` are those that it passes over, outputs too.
    """

    cell: Cell
    recurrent: tuple[Node, ...]
    outputs: tuple[Node, ...]
    blocks: Mapping[tuple[str, str], Terms]
    diagonals: Coefficients
    anchors: tuple[Node, ...]
    local: Mapping[str, Local]
    coefficients: Coefficients

    @classmethod
    def of(cls, cell: Cell) -> Program:
        """The program of ``cell``."""
        recurrent = ancestors(cell, cell.states)
        blocks = jacobian_blocks(cell, "state", "state", "partial").terms
        anchors = Anchors(cell)
        every = [d for terms in blocks.values() for term in terms for d in term.diagonals]
        return cls(
            cell,
            recurrent,
            tuple(node for node in cell.nodes if node not in recurrent),
            blocks,
            _coefficients(cell, "diagonals", every),
            anchors.nodes,
            anchors.local,
            _coefficients(cell, "coefficients", [d for local in anchors.local.values() for d in local.values()]),
        )

    @property
    def entering(self) -> tuple[str, ...]:
        """The states that enter a step, as they are stacked."""
        return tuple(map(lagged, self.cell.states))

    @property
    def between(self) -> tuple[Node, ...]:
        """The nodes that the recursion passes over."""
        return tuple(node for node in self.cell.nodes if node not in self.anchors)

    @property
    def output_parameters(self) -> tuple[str, ...]:
        """The parameters that only outputs need."""
        needed = state_parameters(self.cell)
        return tuple(name for name in self.cell.parameters if name not in needed)

    @property
    def size_names(self) -> tuple[str, ...]:
        """The names of the sizes: of the states', then the inputs', then others."""
        order = (*self.cell.states, *self.cell.inputs, *self.cell.sizes)
        return tuple(dict.fromkeys(self.cell.sizes[name] for name in order))

    def size_from(self, size: str) -> tuple[str, int]:
        """A parameter without which no state can be computed, and the axis of it that has that size."""
        for name in state_parameters(self.cell):
            for axis, found in enumerate(axis_sizes(self.cell, name)):
                if found == size:
                    return name, axis
        raise ValueError(f"{self.cell.name}: no parameter says how many {size} there are.")

    def passed_on(self, node: Node) -> list[tuple[str, str | sp.Expr]]:
        """(vector, factor) for all that an anchor hands its cotangent to: a weight or a coefficient each."""
        if isinstance(node, Affine):
            return [(vector, factor) for factor, vector in node.products]
        return list(self.local[node.name].items())

    def handed_down(self, node: Node) -> list[tuple[str, str | sp.Expr]]:
        """The same for a node that the recursion passes over."""
        if isinstance(node, Affine):
            return [(vector, factor) for factor, vector in node.products]
        return list(local_derivatives(node).items())

    def moving(self) -> set[str]:
        """The vectors that depend on the entering states."""
        found = set(self.entering)
        for node in self.anchors:
            if any(vector in found for vector, _ in self.passed_on(node)):
                found.add(node.name)
        return found

    def reached(self) -> set[str]:
        """The vectors that a cotangent of the new states reaches."""
        found = set(self.cell.states)
        for node in reversed(self.anchors):
            if node.name in found:
                found.update(vector for vector, _ in self.passed_on(node))
        return found


def _coefficients(cell: Cell, name: str, expressions: Iterable[sp.Expr]) -> Coefficients:
    """Those that are no constants, as lines of code with what they share computed once."""
    return Coefficients(name, [Term((d,)) for d in expressions if not cell.is_constant(d)])


def shared(expressions: Iterable[sp.Expr]) -> tuple[list[tuple[sp.Symbol, sp.Expr]], dict[sp.Expr, sp.Expr]]:
    """What several expressions share, as definitions, and each of them in terms of these."""
    given = list(expressions)
    found = Coefficients("shared", [Term((d,)) for d in given if not (d.is_number or d.is_Symbol)])
    lines = {symbol.name: (symbol, expression) for symbol, expression in found.definitions}
    reduced = {d: lines.pop(found.names[d])[1] if d in found.names else d for d in dict.fromkeys(given)}
    return list(lines.values()), reduced
