"""A cell written out unit by unit at an explicit size: the independent route that ``verify`` compares with."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from lstm_sym.calculus.curvature.contractions import sum_of_products
from lstm_sym.calculus.curvature.hessians import Hessian
from lstm_sym.calculus.determinants import LogDeterminant
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Affine, Cell, Node
from lstm_sym.cell.graph import TRANSPOSE, base, unit
from lstm_sym.functions import Slope
from lstm_sym.notation import lag_of, lagged

Units = list[sp.Expr]


class WrittenOut:
    """``cell`` with hidden size n, inputs n + 1 and outputs n + 2, every unit a scalar expression."""

    def __init__(self, cell: Cell, n: int) -> None:
        self.cell, self.n = cell, n
        names = dict.fromkeys(cell.sizes.values())
        others = iter(range(n + 1, n + 1 + len(names)))
        self._sizes = {name: n if name == "hidden" else next(others) for name in names}
        self._forward: dict[tuple[str, ...], dict[str, Units]] = {}
        self._free: dict[sp.Expr, sp.Expr] = {}

    def leaves(self, name: str) -> Units:
        """Free symbols for a vector that nothing is substituted for."""
        if name in self.cell.constants:
            return [sp.Symbol(name, real=True)] * max(self._sizes.values())
        size = self._sizes[self.cell.sizes[name if name in self.cell.sizes else lag_of(name)[0]]]
        return [sp.Symbol(f"{name}[{k}]", real=True) for k in range(size)]

    def weight(self, name: str) -> sp.Matrix:
        """A weight matrix with free entries."""
        weight = self.cell.weights[name]
        shape = self._sizes[weight.rows], self._sizes[weight.columns]
        return sp.Matrix(*shape, lambda j, k: sp.Symbol(f"{name}[{j},{k}]", real=True))

    def forward(self, leaf: str, path: str, *others: str) -> dict[str, Units]:
        """Every vector as explicit expressions, ``leaf`` and ``others`` kept free.

        "total" writes out the step before, too; "direct" shows matrices only copies of ``leaf``.
        """
        if (leaf, path, *others) not in self._forward:
            values: dict[str, Units] = {name: self.leaves(name) for name in self.cell.vector_parameters}
            values |= {name: self.leaves(name) for name in (*self.cell.inputs, *map(lagged, self.cell.states))}
            if path == "total" and lag_of(leaf)[1]:
                values |= self._step_before(leaf, values)
            values |= {name: self.leaves(name) for name in (leaf, *others)}
            copies = {unit: self._copy(unit) for unit in values[leaf]} if path == "direct" else {}
            for node in self.cell.nodes:
                if node.name not in (leaf, *others):
                    hide = copies if isinstance(node, Affine) else {}
                    seen = {name: [unit.xreplace(hide) for unit in units] for name, units in values.items()}
                    values[node.name] = self._node(node, seen)
            self._forward[leaf, path, *others] = values
        return self._forward[leaf, path, *others]

    def _step_before(self, leaf: str, values: Mapping[str, Units]) -> dict[str, Units]:
        """What depends on ``leaf`` in its own step, written out; what does not stays free, one step older."""
        own = lag_of(leaf)[0]
        inner: dict[str, Units] = {own: self.leaves(leaf)}
        for node in self.cell.nodes:
            if node.name != own and any(name in inner for name in node.reads):
                older = {name: inner.get(name) or self._older(name, values) for name in self._reads(node)}
                inner[node.name] = self._node(node, older)
        return {lagged(name): units for name, units in inner.items()}

    def _reads(self, node: Node) -> tuple[str, ...]:
        return (*node.reads, *node.biases) if isinstance(node, Affine) else node.reads

    def _older(self, name: str, values: Mapping[str, Units]) -> Units:
        return values[name] if name in self.cell.vector_parameters else self.leaves(lagged(name))

    def _node(self, node: Node, values: Mapping[str, Units]) -> Units:
        if isinstance(node, Affine):
            total = sp.zeros(self._sizes[self.cell.sizes[node.name]], 1)
            for factor, vector in node.products:
                weight = self.weight(base(factor))
                total += (weight.T if factor.endswith(TRANSPOSE) else weight) * sp.Matrix(values[vector])
            return [sum((values[bias][k] for bias in node.biases), entry) for k, entry in enumerate(total)]
        size = self._sizes[self.cell.sizes[node.name]]
        return [node.expression.xreplace({unit(v): values[v][k] for v in node.reads}) for k in range(size)]

    def jacobian(self, of: str, wrt: str, path: str) -> sp.Matrix:
        """SymPy's ``Matrix.jacobian`` of the written-out equations, activations then made free symbols.

        For "direct" the vectors that matrices are applied to are copies, which the differentiation does not see.
        """
        values = self.forward(wrt, path)
        matrix = sp.Matrix(values[of]).jacobian(sp.Matrix(values[wrt]))
        copies = {self._copy(leaf): leaf for leaf in values[wrt]}
        return matrix.xreplace(copies).applyfunc(self.free)

    def _copy(self, leaf: sp.Symbol) -> sp.Symbol:
        return sp.Symbol(f"{leaf.name}°", real=True)

    def expand(self, jacobian: Jacobian) -> sp.Matrix:
        """The structured value written out, in the same free symbols."""
        values = dict(self.forward(jacobian.wrt, "total" if jacobian.path == "total" else "partial"))
        rows, columns = (self._sizes[name] for name in jacobian.shape)
        total = sp.zeros(rows, columns)
        for term in jacobian.terms:
            total += self.term(term, values, rows)
        return total.applyfunc(self.free)

    def hessian(self, of: str, wrt: str, wrt2: str) -> sp.Array:
        """``Matrix.jacobian`` of ``Matrix.jacobian``, [of, wrt, wrt2], activations then made free symbols."""
        values = self.forward(wrt, "partial", wrt2)
        first = sp.Matrix(values[of]).jacobian(sp.Matrix(values[wrt]))
        second = sp.Matrix(list(first)).jacobian(sp.Matrix(values[wrt2]))
        return sp.ImmutableDenseNDimArray([self.free(entry) for entry in second], (*first.shape, second.shape[1]))

    def expand_second(self, hessian: Hessian) -> sp.Array:
        """The structured second derivative written out, in the same free symbols."""
        values = dict(self.forward(hessian.wrt, "partial", hessian.wrt2))
        rows, first, second = (self._sizes[name] for name in hessian.shape)
        parts = []
        for term in hessian.terms:
            outer = self.term(term.outer, values, rows)
            for pair in term.pairs:
                parts.append((outer, *(self.term(part, values, outer.shape[1]) for part in pair)))
        return sum_of_products(parts, (rows, first, second)).applyfunc(self.free)

    def term(self, term: Term, values: dict[str, Units], rows: int) -> sp.Matrix:
        """A term written out with these ``values``; it has that many rows."""
        matrix, size = sp.eye(rows), rows
        for place, diagonal in enumerate(term.diagonals):
            matrix = matrix * sp.diag(*self._diagonal(diagonal, values, size))
            if place < len(term.weights):
                weight = term.weights[place]
                entries = self.weight(weight.name)
                matrix = matrix * (entries.T if weight.transposed else entries)
                size = matrix.shape[1]
        return matrix

    def _diagonal(self, diagonal: sp.Expr, values: dict[str, Units], size: int) -> Units:
        """A diagonal as it is printed, through the gates, for every unit."""
        shown = through_gates(self.cell, diagonal)
        for symbol in shown.free_symbols:
            if symbol.name not in values:
                values[symbol.name] = self.leaves(symbol.name)
        return [shown.xreplace({s: values[s.name][k] for s in shown.free_symbols}) for k in range(size)]

    def free(self, expression: sp.Expr) -> sp.Expr:
        """``expression`` with slopes through their values and every activation a free symbol, outermost first."""
        if expression not in self._free:
            if isinstance(expression, Slope):
                self._free[expression] = self.free(expression.from_value)
            elif isinstance(expression, sp.Function):
                self._free[expression] = sp.Dummy(real=True)
            else:
                parts = [self.free(part) for part in expression.args]
                self._free[expression] = expression.func(*parts) if parts else expression
        return self._free[expression]

    def determinant_factors(self, closed: LogDeterminant) -> sp.Expr:
        """∏ d over all units and diagonals times ∏ det W."""
        if closed.singular:
            return sp.S.Zero
        values = dict(self.forward(lagged(self.cell.states[0]), "partial"))
        factors = [self.free(u) for d, space in closed.units for u in self._diagonal(d, values, self._sizes[space])]
        return sp.Mul(*factors) * sp.Mul(*(self.weight(name).det() for name in closed.weights))
