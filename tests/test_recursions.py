"""Derivatives over many steps as recursions: the same numbers as products of the kernel's Jacobians; texts."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import CELLS

import lstm_sym as ls
from lstm_sym import cells as shipped
from lstm_sym.calculus import Jacobian
from lstm_sym.calculus.recursions import Recursion

ALL = [*CELLS, *(getattr(shipped, name) for name in shipped.__all__)]
N, STEPS = 3, 5


class Run:
    """A run of a cell with random numbers: its Jacobians, and all that its formulas may read."""

    def __init__(self, cell):
        self.cell, self.kernel = cell, ls.Kernel(cell)
        rng = np.random.default_rng(7)
        self.parameters = self.kernel.parameters(N, 2, rng=rng)
        for name in cell.vector_parameters:
            if name in self.parameters and name not in cell.constants:
                self.parameters[name] = rng.uniform(0.1, 0.6, self.parameters[name].shape)
        self.inputs = rng.standard_normal((STEPS, 2))
        self.size = self.kernel.blocks(self.parameters)
        self.start = rng.uniform(0.2, 0.8, sum(s.stop - s.start for s in self.size.values()))
        self.orbit = ls.run(self.kernel, self.parameters, self.inputs, initial=self.start)
        self.states = np.concatenate([self.start[None], self.orbit.states])

    def jacobian(self, t):
        return self.kernel.jacobian(self.parameters, self.inputs[t], self.states[t])

    def product(self):
        whole = np.eye(len(self.start))
        for t in range(STEPS):
            whole = self.jacobian(t) @ whole
        return whole

    def values(self, t):
        return {**self.kernel.evaluate(self.parameters, self.inputs[t], self.states[t]), **self.parameters}

    def evaluate(self, of, wrt, terms, t):
        """A sum of terms as a matrix; ``wrt`` is a state, before the step or in it, of the same size either way."""
        value = Jacobian(self.cell, of, wrt, "partial", terms)
        needed = {symbol.name for term in value for d in term.diagonals for symbol in d.free_symbols}
        needed |= {of, wrt} | {weight.name for term in value for weight in term.weights}
        return value.evaluate({name: array for name, array in self.values(t).items() if name in needed})

    def follow(self, recursion: Recursion):
        """The derivatives of the recursion's states at the last step."""
        sizes = {state: block.stop - block.start for state, block in self.size.items()}
        found = {s: np.zeros((sizes[s], sizes[recursion.wrt])) for s in recursion.states}
        found[recursion.wrt] = np.eye(sizes[recursion.wrt])
        for t in range(STEPS):
            now: dict[str, np.ndarray] = {}
            for state in (node.name for node in self.cell.nodes if node.name in recursion.states):
                old = [(f"{s}_prev", recursion.before.get((state, s)), found[s]) for s in recursion.states]
                new = [(s, recursion.within.get((state, s)), now[s]) for s in now]
                addends = [self.evaluate(state, v, terms, t) @ d for v, terms, d in (*old, *new) if terms]
                now[state] = sum(addends, np.zeros_like(found[state]))
            found = now
        return found


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_a_recursion_goes_where_the_product_of_jacobians_goes(cell):
    run = Run(cell)
    product = run.product()
    for wrt, columns in run.size.items():
        for of, rows in run.size.items():
            recursion = ls.horizon_product(cell, of, wrt).recursion()
            found = run.follow(recursion)
            expected = product[rows, columns]
            np.testing.assert_allclose(found[of], expected, rtol=1e-9, atol=1e-13 * abs(product).max())


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_the_direct_recursion_multiplies_the_direct_terms(cell):
    run = Run(cell)
    for wrt, columns in run.size.items():
        table = ls.jacobian(cell, "state", "state", path="direct")
        product = np.eye(len(run.start))
        for t in range(STEPS):
            blocks = [
                [run.evaluate(r, f"{c}_prev", table[r, c].terms, t) for c in table.columns] for r in table.rows
            ]
            product = np.block(blocks) @ product
        found = run.follow(ls.horizon_product(cell, wrt, wrt, "direct").recursion())
        np.testing.assert_allclose(found[wrt], product[columns, columns], rtol=1e-10, atol=1e-15)


def test_a_total_recursion_begins_with_the_effect_on_the_other_states():
    recursion = ls.horizon_product(ls.LSTM, "c", "c", "total").recursion()
    assert recursion.initial["h"] == ls.jacobian(ls.LSTM, "h", ls.LSTM["c"]).terms
    full = ls.horizon_product(ls.LSTM, "c", "c").recursion()
    assert (full.before, full.within) == (recursion.before, recursion.within)
    assert full.initial["h"] == ()


def test_texts(golden):
    values = [ls.horizon_product(ls.RNN, "h", "h").recursion()]
    values += [ls.horizon_product(ls.LSTM, "c", "c", path).recursion() for path in ("full", "direct", "total")]
    golden("recursions.txt", "\n\n".join(f"{value}\n{ls.latex(value)}" for value in values) + "\n")
    row = values[3].latex(notation=ls.Notation(vectors="row", weights="W-U", time=False))
    assert r"\frac{\mathrm{d} h_{t-1}}{\mathrm{d} c_k}\, U_o\, \operatorname{diag}" in row


def test_refusals():
    with pytest.raises(ValueError, match="states one by one: of and wrt of h, c"):
        ls.horizon_product(ls.LSTM, "state", "state").recursion()
