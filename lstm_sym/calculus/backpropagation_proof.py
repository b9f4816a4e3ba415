"""The adjoint written out unit by unit, and what SymPy makes of the same step: the two sides of its proof.

In one step, with free symbols λ for the derivatives of the loss by the new states and the outputs, the recursion
must give Jᵀλ for the entering states and the inputs, and ∂(λ·values)/∂W for every parameter.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lstm_sym.calculus.backpropagation import Adjoint
from lstm_sym.calculus.deltas import Delta, ParameterSum, Passed, Product
from lstm_sym.calculus.writtenout import Units, WrittenOut
from lstm_sym.notation import lagged

#: (name of what is derived by, the recursion's entries, SymPy's entries).
Sides = tuple[str, sp.Matrix, sp.Matrix]


class WrittenOutAdjoint:
    """One step of the recursion at the size of ``written``."""

    def __init__(self, written: WrittenOut, adjoint: Adjoint) -> None:
        self._written, self._adjoint, self._cell = written, adjoint, adjoint.cell
        self._values = dict(written.forward(lagged(self._cell.states[0]), "partial"))
        ends = dict.fromkeys((*self._cell.states, *self._cell.outputs))
        self._seeds = {end: [sp.Symbol(f"λ_{u.name}", real=True) for u in written.leaves(end)] for end in ends}
        self._deltas: dict[str, sp.Matrix] = {}
        for delta in adjoint.deltas:
            self._deltas[delta.name] = self._delta(delta, self._seeds.get(delta.name))

    def sides(self) -> Iterator[Sides]:
        """Both sides for every entering state, input and parameter."""
        loss = sp.Add(*(sp.Matrix(seed).dot(sp.Matrix(self._values[end])) for end, seed in self._seeds.items()))
        for delta in self._adjoint.initial:
            yield delta.name, self._delta(delta, None), self._derivative(loss, self._values[delta.name])
        for name in self._cell.inputs:
            yield name, self._deltas[name], self._derivative(loss, self._values[name])
        for equation in self._adjoint.sums:
            found = self._sum(equation)
            yield equation.name, found, self._derivative(loss, self._entries(equation.name)).reshape(*found.shape)

    def _derivative(self, loss: sp.Expr, entries: Units) -> sp.Matrix:
        return sp.Matrix([self._written.free(sp.diff(loss, entry)) for entry in entries])

    def _entries(self, parameter: str) -> Units:
        if parameter in self._cell.weights:
            return list(self._written.weight(parameter))
        leaves = self._written.leaves(parameter)
        return leaves[:1] if parameter in self._cell.constants else leaves

    def _delta(self, delta: Delta, seed: Units | None) -> sp.Matrix:
        """The terms of this step; of the step after there are none."""
        size = len(self._values[delta.name])
        total = sp.Matrix(seed) if seed else sp.zeros(size, 1)
        for term in delta.terms:
            if not term.later:
                total += self._passed(term, size)
        return total

    def _passed(self, term: Passed, size: int) -> sp.Matrix:
        matrix = self._written.term(term.factor, self._values, size).applyfunc(self._written.free)
        return matrix * self._deltas[term.source]

    def _sum(self, equation: ParameterSum) -> sp.Matrix:
        parts = [self._share(term, equation.name in self._cell.constants) for term in equation.terms]
        if not parts:
            weight = self._written.weight(equation.name) if equation.name in self._cell.weights else None
            return sp.zeros(*(weight.shape if weight is not None else (len(self._entries(equation.name)), 1)))
        return sum(parts[1:], parts[0])

    def _share(self, term: Product | Passed, constant: bool) -> sp.Matrix:
        delta = self._deltas[term.source]
        if isinstance(term, Product):
            vector = sp.Matrix(self._values[term.vector]).applyfunc(self._written.free)
            return vector * delta.T if term.transposed else delta * vector.T
        share = self._passed(term, len(delta))
        return sp.Matrix([sp.Add(*share)]) if constant else share
