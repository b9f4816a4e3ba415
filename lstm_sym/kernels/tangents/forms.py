"""The structured Jacobian written so that it can be applied: sums of diagonals and of weights between diagonals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.determinants import eliminated, new_on_new
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.cell import Cell, Weight

Place = tuple[str, str]


@dataclass(frozen=True)
class Branch:
    """diagonal ∘ (weight · inner(v)), where ``inner`` is a sum of its own, or v itself (None)."""

    diagonal: sp.Expr
    weight: Weight
    inner: Sum | None


@dataclass(frozen=True)
class Sum:
    """diagonal ∘ v + Σ branches: what one vector v adds to one new state."""

    diagonal: sp.Expr
    branches: tuple[Branch, ...]

    @property
    def simple(self) -> tuple[Branch, ...]:
        """The branches that apply one weight to v itself."""
        return tuple(branch for branch in self.branches if branch.inner is None)

    @property
    def chains(self) -> tuple[Branch, ...]:
        """The branches that go through more than one weight."""
        return tuple(branch for branch in self.branches if branch.inner is not None)


def nested(terms: Sequence[Term]) -> Sum:
    """The sum of ``terms`` with equal leading factors d·W taken out, at every depth."""
    direct = sum((term.diagonals[0] for term in terms if term.is_direct), sp.S.Zero)
    groups: dict[tuple[sp.Expr, Weight], list[Term]] = {}
    for term in terms:
        if not term.is_direct:
            rest = Term(term.diagonals[1:], term.weights[1:])
            groups.setdefault((term.diagonals[0], term.weights[0]), []).append(rest)
    branches = []
    for (diagonal, weight), rests in groups.items():
        inner = nested(rests)
        branches.append(Branch(diagonal, weight, None if inner == Sum(sp.S.One, ()) else inner))
    return Sum(direct, tuple(branches))


class Form:
    """One way of writing a step's tangent map: sums by (new state, vector), in an order that can be run.

    A vector is ("old", s), a state that enters the step, or ("new", s), one that left it just before.
    """

    def __init__(self, cell: Cell, old: Mapping[Place, Terms], new: Mapping[Place, Terms]) -> None:
        self.sums: dict[str, dict[Place, Sum]] = {row: {} for row in _in_order(cell.states, new)}
        for age, table in (("old", old), ("new", new)):
            for (row, column), terms in table.items():
                if terms:
                    self.sums[row][age, column] = nested(terms)
        every = [term for table in (old, new) for terms in table.values() for term in terms]
        self.coefficients = Coefficients("tangents", every)
        self.simple = not new and all(len(term.weights) < 2 for term in every)


def folded_form(cell: Cell) -> Form | None:
    """J itself, or None where a term goes through more than one weight."""
    table = jacobian(cell, "state", "state")
    terms = {place: block.terms for place, block in table.blocks.items()}
    form = Form(cell, terms, {})
    return form if form.simple else None


def sequential_form(cell: Cell) -> Form:
    """(I − N)⁻¹ R: each new state from the entering ones and the new ones before it."""
    return Form(cell, eliminated(cell), new_on_new(cell))


def _in_order(states: tuple[str, ...], reads: Mapping[Place, Terms]) -> list[str]:
    """The states, each after those new ones that it reads."""
    order: list[str] = []
    while len(order) < len(states):
        ready = (r for r in states if r not in order and all((r, s) not in reads or s in order for s in states))
        order.append(next(ready))
    return order
