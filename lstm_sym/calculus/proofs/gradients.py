"""Gradients written out unit by unit, and what SymPy makes of the same step: the two sides of their proofs.

For the adjoint, with free symbols λ in place of the loss's derivatives by the new states and the outputs, a step of
the recursion must give Jᵀλ for the entering states and the inputs, and ∂(λ·values)/∂W for every parameter.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lstm_sym.calculus.adjoints.backpropagation import Adjoint
from lstm_sym.calculus.adjoints.deltas import Delta, ParameterSum, Passed, Product
from lstm_sym.calculus.proofs.writtenout import Units, WrittenOut
from lstm_sym.calculus.terms import Terms
from lstm_sym.calculus.weights.immediate import ColumnJacobian, ParameterJacobian
from lstm_sym.notation import lagged

#: (name of what is derived by, the recursion's entries, SymPy's entries).
Sides = tuple[str, sp.Matrix, sp.Matrix]


class _Differentiation:
    """SymPy's derivative by one symbol, node by node, what occurs twice differentiated once."""

    def __init__(self, symbol: sp.Symbol) -> None:
        self._found: dict[sp.Expr, sp.Expr] = {symbol: sp.S.One}

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        if expression not in self._found:
            inner = [(place, self(part)) for place, part in enumerate(expression.args)]
            terms = [_by_argument(expression, place) * slope for place, slope in inner if slope != 0]
            self._found[expression] = sp.Add(*terms)
        return self._found[expression]


def _by_argument(expression: sp.Expr, place: int) -> sp.Expr:
    """The derivative of a sum, product, power or function by one of its arguments, the others held, by SymPy."""
    held = [sp.Dummy(real=True) for _ in expression.args]
    if expression.is_Pow:
        held[1] = expression.exp
    outer = expression.func(*held).diff(held[place])
    return outer.xreplace(dict(zip(held, expression.args, strict=True)))


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
            yield (
                equation.name,
                found,
                self._derivative(loss, _entries(self._written, equation.name)).reshape(*found.shape),
            )

    def _derivative(self, loss: sp.Expr, entries: Units) -> sp.Matrix:
        return sp.Matrix([self._written.free(_Differentiation(entry)(loss)) for entry in entries])

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
        if not parts and equation.name in self._cell.weights:
            return sp.zeros(*self._written.weight(equation.name).shape)
        if not parts:
            return sp.zeros(len(_entries(self._written, equation.name)), 1)
        return sum(parts[1:], parts[0])

    def _share(self, term: Product | Passed, constant: bool) -> sp.Matrix:
        delta = self._deltas[term.source]
        if isinstance(term, Product):
            vector = sp.Matrix(self._values[term.vector]).applyfunc(self._written.free)
            return vector * delta.T if term.transposed else delta * vector.T
        share = self._passed(term, len(delta))
        return sp.Matrix([sp.Add(*share)]) if constant else share


def parameter_sides(written: WrittenOut, claim: ParameterJacobian | ColumnJacobian) -> tuple[sp.Matrix, sp.Matrix]:
    """An immediate derivative as claimed, and SymPy's ``Matrix.jacobian`` by the entries, columns stacked."""
    values = dict(written.forward(lagged(claim.cell.states[0]), "partial"))
    entries = _entries(written, claim.wrt)
    if claim.wrt in claim.cell.weights:
        entries = list(written.weight(claim.wrt).T)
    of = sp.Matrix(values[claim.of])
    expected = of.jacobian(sp.Matrix(entries)).applyfunc(written.free)
    claimed = sp.zeros(*expected.shape)
    if isinstance(claim, ColumnJacobian):
        for term in claim.terms:
            matrix = written.term(term, values, len(of))
            claimed += matrix * sp.ones(matrix.shape[1], 1)
    else:
        for place in claim.places:
            matrix, row = _matrix(written, place.jacobian.terms, values, len(of)), sp.Matrix(values[place.vector]).T
            claimed += sp.kronecker_product(*((matrix, row) if place.transposed else (row, matrix)))
    return claimed.applyfunc(written.free), expected


def _matrix(written: WrittenOut, terms: Terms, values: dict[str, Units], rows: int) -> sp.Matrix:
    parts = [written.term(term, values, rows) for term in terms]
    return sum(parts[1:], parts[0])


def _entries(written: WrittenOut, parameter: str) -> Units:
    """The free entries of a parameter, rows first; one for a number that all units share."""
    if parameter in written.cell.weights:
        return list(written.weight(parameter))
    leaves = written.leaves(parameter)
    return leaves[:1] if parameter in written.cell.constants else leaves
