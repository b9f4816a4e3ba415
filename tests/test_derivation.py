"""Derivations: every line of every step is the same matrix, in numbers by another route; texts; LaTeX."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sympy as sp
from conftest import CELLS

import lstm_sym as ls
from lstm_sym import cells as shipped
from lstm_sym.cell import Affine, Weight
from lstm_sym.functions import FORMS, Slope
from lstm_sym.typeset.steps import Derivative, Local

ALL = [*CELLS, *(getattr(shipped, name) for name in shipped.__all__)]
N, STEP = 2, 1e-25


class Numbers:
    """A cell at n = 2 with random numbers: derivatives by complex step, factors of derivations as matrices."""

    def __init__(self, cell: ls.Cell, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.cell = cell
        self.given = {name: rng.uniform(0.2, 1.0, N) for name in (*cell.inputs, *cell.vector_parameters)}
        self.given |= {name: rng.uniform(0.2, 1.0, N) for name in cell.vectors if name.endswith("_prev")}
        self.given |= {name: np.full(N, value) for name, value in cell.constants.items()}
        self.weights = {name: rng.standard_normal((N, N)) for name in cell.weights}
        self.values = self.run({})

    def run(self, moved):
        """All vectors of a step; those in ``moved`` have the values given there."""
        values = {**self.given, **moved}
        for node in self.cell.nodes:
            if node.name in moved:
                continue
            if isinstance(node, Affine):
                products = [self.weight(self.cell.factor(w)) @ values[v] for w, v in node.products]
                values[node.name] = sum(products) + sum(values[b] for b in node.biases)
            else:
                values[node.name] = self.scalar(node.expression, values)
        return values

    def weight(self, weight):
        matrix = self.weights[weight.name]
        return matrix.T if weight.transposed else matrix

    def scalar(self, expression, values):
        names = sorted(symbol.name for symbol in expression.free_symbols)
        slopes = {slope: slope.from_value for slope in expression.atoms(Slope)}
        function = sp.lambdify(
            [sp.Symbol(n, real=True) for n in names], expression.xreplace(slopes), [FORMS, "numpy"]
        )
        return np.broadcast_to(function(*(values[n] for n in names)), (N,))

    def derivative(self, of, wrt):
        columns = []
        for unit in np.eye(N):
            moved = self.run({wrt: self.values[wrt] + 1j * STEP * unit})
            columns.append(moved[of].imag / STEP)
        return np.stack(columns, -1)

    def factor(self, factor):
        if isinstance(factor, Derivative):
            return self.derivative(factor.of, factor.wrt)
        if isinstance(factor, Weight):
            return self.weight(factor)
        if isinstance(factor, Local):
            return np.diag(self.scalar(factor.expression, self.values))
        return sum(self.term(term) for term in factor)

    def term(self, term):
        matrix = np.diag(self.scalar(term.diagonals[0], self.values))
        for weight, diagonal in zip(term.weights, term.diagonals[1:], strict=True):
            matrix = matrix @ self.weight(weight) @ np.diag(self.scalar(diagonal, self.values))
        return matrix

    def line(self, step):
        total = np.zeros((N, N))
        for addend in step.addends:
            total = total + np.linalg.multi_dot([np.eye(N), np.eye(N), *map(self.factor, addend)])
        return total


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_every_line_of_every_step_is_the_derivative_on_its_left(cell):
    numbers = Numbers(cell)
    found = ls.derivation(cell, "state", "state")
    compared = 0
    for block in found.blocks:
        left = block[0].left
        expected = numbers.derivative(left.of, left.wrt) if left.of != left.wrt else np.eye(N)
        for step in block:
            assert step.left in (left, None)
            np.testing.assert_allclose(numbers.line(step), expected, rtol=1e-11, atol=1e-13)
            assert step.rules
            compared += 1
    assert compared >= len(cell.states) ** 2


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
@pytest.mark.parametrize("path", ["partial", "total", "direct"])
def test_the_last_line_is_the_jacobian(cell, path):
    for of in cell.states:
        for wrt in (*cell.states, cell.inputs[0]):
            found = ls.derivation(cell, of, wrt, path=path)
            value = ls.jacobian(cell, of, wrt, path=path)
            assert found.result == value
            last = found.blocks[-1][-1]
            assert tuple(term for ((term,),) in last.addends) == value.terms
            text, shown = (re.sub(r"\s+", "", str(each)) for each in (found, value))
            assert f"={shown}" in text[-len(shown) - 60 :]  # behind it there may be a rule


def test_lectures(golden):
    values = [
        ls.derivation(ls.RNN, "h", "h"),
        ls.derivation(ls.LSTM, "c", "h"),
        ls.derivation(ls.LSTM, "c", "c", path="total"),
        ls.derivation(ls.LSTM, "f", "c"),
        ls.derivation(ls.LeakyRNN, "h", "h"),
    ]
    golden("derivations.txt", "\n\n\n".join(map(str, values)) + "\n")
    texts = [values[1].latex(), values[1].latex(notation=ls.Notation("W-U", vectors="row", bold=True))]
    golden("derivations.tex", "\n\n".join([*texts, ls.latex(values[3], equation=True)]) + "\n")


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_derivations_fit_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for cell in (ls.LSTM, ls.GRU, ls.SLSTM):
        text = str(ls.derivation(cell, "h", "h"))
        assert max(map(len, text.splitlines())) <= columns


def test_what_has_no_derivation():
    with pytest.raises(ValueError, match="W_hf"):
        ls.derivation(ls.LSTM, "f", "W_hf")
    with pytest.raises(ValueError, match="Known: partial, total, direct"):
        ls.derivation(ls.LSTM, "c", "h", path="all")
    with pytest.raises(TypeError, match=r"expected a lstm_sym\.Notation"):
        ls.derivation(ls.LSTM, "c", "h", notation="row")
