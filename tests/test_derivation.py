"""Derivations: every line of every step is the same matrix, in numbers by another route; texts; LaTeX."""

from __future__ import annotations

import re

import numpy as np
import pytest
from conftest import CELLS
from printed import N, Numbers

import lstm_sym as ls
from lstm_sym import cells as shipped

ALL = [*CELLS, *(getattr(shipped, name) for name in shipped.__all__)]


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


def test_a_notebook_shows_the_derivation():
    text = ls.derivation(ls.LSTM, "c", "h")._repr_latex_()
    assert text.startswith(r"\begin{align*}")
    assert r"&& \text{chain rule through the sigmoid}" in text
    assert r"&& \text{$\sigma' = \sigma\,(1 - \sigma)$}" in text


def test_layers_are_derived_too():
    stack = ls.stack(ls.LSTM, ls.RNN)
    found = ls.derivation(stack, "h_l2", "h_l1")
    assert found.result == ls.jacobian(stack, "h_l2", "h_l1")
    assert "∂h⁽²⁾′/∂h⁽¹⁾ = " in str(found)


def test_what_has_no_derivation():
    with pytest.raises(ValueError, match="W_hf"):
        ls.derivation(ls.LSTM, "f", "W_hf")
    with pytest.raises(ValueError, match="Known: partial, total, direct"):
        ls.derivation(ls.LSTM, "c", "h", path="all")
    with pytest.raises(TypeError, match=r"expected a lstm_sym\.Notation"):
        ls.derivation(ls.LSTM, "c", "h", notation="row")
