"""Jacobians: the text-book formulas, paths, values and their methods."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import lstm_sym as ls
from lstm_sym.functions import dsigmoid, dtanh, relu, sigmoid, tanh

A = "diag(c⊙f⊙(1−f))·W_hf + diag(g⊙i⊙(1−i))·W_hi + diag(i⊙(1−g²))·W_hg"
BEFORE = "diag(oₜ₋₁⊙(1−mₜ₋₁²))"


@pytest.mark.parametrize(
    ("of", "wrt", "path", "expected"),
    [
        ("c", "h", "partial", A),
        ("f", "h", "partial", "diag(f⊙(1−f))·W_hf"),
        ("g", "h", "partial", "diag(1−g²)·W_hg"),
        ("c", "c", "partial", "diag(f)"),
        ("c", "c", "direct", "diag(f)"),
        ("c", "c", "total", "diag(f) + " + " + ".join(f"{term}·{BEFORE}" for term in A.split(" + "))),
        ("h", "c", "partial", "diag(f⊙o⊙(1−m²))"),
        ("h", "h", "direct", "0"),
        ("c", "h", "total", A),
        ("f", "c", "partial", "0"),
        ("f", "a_f", "partial", "diag(f⊙(1−f))"),
        ("c", "b_i", "partial", "diag(g⊙i⊙(1−i))"),
        ("c", "i", "partial", "diag(g)"),
        ("i", "x", "partial", "diag(i⊙(1−i))·W_xi"),
        ("a_o", "h", "partial", "W_ho"),
    ],
)
def test_lstm_formulas(of, wrt, path, expected):
    assert str(ls.jacobian(ls.LSTM, of, wrt, path=path)) == expected


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("tanh", "diag(1−h′²)·W_hh"),
        ("relu", "diag([h′>0])·W_hh"),
        ("sigmoid", "diag(h′⊙(1−h′))·W_hh"),
        ("identity", "W_hh"),
    ],
)
def test_rnn_formulas(activation, expected):
    assert str(ls.jacobian(ls.RNN(activation=activation), "h", "h")) == expected


def test_all_texts(golden):
    texts = []
    for cell in (ls.RNN, ls.LSTM):
        table = ls.jacobian(cell, "state", "state")
        texts += [str(table), ls.latex(table, equation=True), str(table.T)]
        texts += [value.equation() for value in table]
        texts += [str(ls.log_determinant(cell)), ls.latex(ls.log_determinant(cell))]
    total = ls.jacobian(ls.LSTM, "c", "c", path="total")
    texts += [total.equation(), total.latex(equation=True), total.T.equation()]
    golden("jacobians.txt", "\n\n".join(texts) + "\n")


def test_products_over_a_horizon(golden):
    wanted = [(ls.RNN, "h", "h", "full"), (ls.LSTM, "c", "c", "direct"), (ls.LSTM, "c", "c", "full")]
    wanted += [(ls.LSTM, "c", "c", "total"), (ls.LSTM, "state", "state", "full")]
    formulas = [ls.horizon_product(*question) for question in wanted]
    golden("products.txt", "\n\n".join(f"{formula}\n{ls.latex(formula)}" for formula in formulas) + "\n")


def test_a_symbol_means_itself_and_a_name_means_the_state_that_enters():
    new, old = ls.LSTM["c"], ls.LSTM["c_prev"]
    assert str(ls.jacobian(ls.LSTM, "h", new)) == "diag(o⊙(1−m²))"
    assert ls.jacobian(ls.LSTM, "h", old) == ls.jacobian(ls.LSTM, "h", "c")
    assert ls.jacobian(ls.LSTM, "h", "c_prev") == ls.jacobian(ls.LSTM, "h", "c")


def test_exact_zero_is_said_as_such():
    zero = ls.jacobian(ls.LSTM, "f", "c")
    assert zero.is_zero
    assert len(zero) == 0
    assert zero.equation() == "∂fₜ/∂cₜ₋₁ = 0   (exactly: fₜ does not depend on cₜ₋₁)"
    assert zero.latex() == "0"
    assert zero.to_sympy(2) == sp.zeros(2, 2)


def test_terms_can_be_iterated():
    terms = list(ls.jacobian(ls.LSTM, "c", "h"))
    f, c = ls.LSTM["f"], ls.LSTM["c_prev"]
    assert [weight.name for term in terms for weight in term.weights] == ["W_hf", "W_hi", "W_hg"]
    assert sp.expand(terms[0].diagonals[0] - c * f * (1 - f)) == 0
    assert terms[0].diagonals[1] == 1


def test_transpose_twice_is_the_same_and_once_is_backpropagation():
    value = ls.jacobian(ls.LSTM, "c", "h")
    assert value == value.T.T
    assert str(value.T).startswith("W_hfᵀ·diag(c⊙f⊙(1−f)) + ")
    assert value.T.to_sympy(3) == value.to_sympy(3).T
    table = ls.jacobian(ls.LSTM, "state", "state")
    assert table.T.to_sympy(2) == table.to_sympy(2).T


def test_subs_drops_what_vanishes_and_never_parses_text():
    value = ls.jacobian(ls.LSTM, "c", "h")
    assert str(value.subs(f=1)) == "diag(g⊙i⊙(1−i))·W_hi + diag(i⊙(1−g²))·W_hg"
    assert str(value.subs({ls.LSTM["i"]: 0})) == "diag(c⊙f⊙(1−f))·W_hf"
    assert value.subs(f=1, i=0).is_zero
    with pytest.raises(TypeError, match="expected a number or a SymPy expression"):
        value.subs(f="__import__('os')")
    with pytest.raises(ValueError, match="Known: x, h_prev"):
        value.subs(q=1)


@pytest.mark.parametrize("path", ["partial", "direct"])
def test_evaluate_agrees_with_sympy_and_with_the_kernel(path):
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(3, 2, rng=5)
    rng = np.random.default_rng(6)
    x, state = rng.standard_normal(2), rng.standard_normal(6)
    values = kernel.evaluate(p, x, state)
    table = ls.jacobian(ls.LSTM, "state", "state", path=path)
    ours = table.evaluate({**values, **p})
    explicit = table.to_sympy(3, inputs=2)
    numbers = {sp.MatrixSymbol(k, 3, 1)[j, 0]: v for k in values if k != "x" for j, v in enumerate(values[k])}
    for name in ("W_hf", "W_hi", "W_hg", "W_ho"):
        numbers |= {sp.MatrixSymbol(name, 3, 3)[j, k]: p[name][j, k] for j in range(3) for k in range(3)}
    theirs = np.array(explicit.xreplace(numbers).tolist(), dtype=float)
    assert np.allclose(ours, theirs, rtol=0, atol=4e-16)  # sums of three products, rounded in another order
    assert np.allclose(ours, kernel.jacobian(p, x, state, path=path), rtol=0, atol=1e-16)


def test_evaluate_uses_gates_where_preactivations_are_missing():
    value = ls.jacobian(ls.LSTM, "f", "h")
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.allclose(value.evaluate(f=[0.5, 0.25], W_hf=matrix), np.diag([0.25, 0.1875]) @ matrix, atol=1e-16)
    saturated = value.evaluate(a_f=[40.0, 40.0], W_hf=matrix)
    assert np.allclose(saturated, np.exp(-40) * matrix, rtol=1e-15)
    with pytest.raises(ValueError, match="no value for W_hf"):
        value.evaluate(f=[0.5, 0.25])
    with pytest.raises(ValueError, match="size"):
        value.evaluate(f=[0.5, 0.25, 0.1], W_hf=matrix)


def test_total_derivative_evaluates_along_a_trajectory():
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(3, 2, rng=5)
    orbit = ls.run(kernel, p, np.random.default_rng(0).standard_normal((5, 2)))
    before = {f"{name}_prev": orbit[name][3] for name in ("o", "m", "c", "h")}
    now = {name: orbit[name][4] for name in ("a_f", "a_i", "a_g", "f", "i", "g")}
    ours = ls.jacobian(ls.LSTM, "c", "c", path="total").evaluate({**before, **now, "c_prev": orbit["c"][3], **p})
    expected = ls.singular_spectrum(orbit, "c", "c", [1], path="total")[0]
    assert np.allclose(np.log(np.linalg.svd(ours, compute_uv=False)), expected, rtol=0, atol=1e-13)


def test_to_sympy_as_matrix_expression_becomes_the_explicit_one():
    n = sp.Symbol("n", integer=True, positive=True)
    value = ls.jacobian(ls.LSTM, "c", "h")
    assert value.to_sympy(n).subs(n, 2).as_explicit() == value.to_sympy(2)
    assert ls.jacobian(ls.LSTM, "c", "x").to_sympy(2, inputs=3).shape == (2, 3)
    with pytest.raises(ValueError, match="Known: hidden, inputs, outputs"):
        value.to_sympy(2, widgets=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("q", "h"), "Known: state, a_f, f"),
        (("c", "q"), "Known: state, h, c, x"),
        (("c", "W_hq"), "Known: state, h, c, x"),
        (("c", "W_hf", "full"), "Known: partial, total, direct"),
        (("c", "h", "ful"), "Known: partial, total, direct"),
    ],
)
def test_wrong_names_list_the_known_ones(arguments, message):
    with pytest.raises(ValueError, match=message):
        ls.jacobian(ls.LSTM, *arguments)


def test_activations_know_their_slope_value_and_number():
    a = sp.Symbol("a", real=True)
    assert sp.diff(sigmoid(a), a).doit() == sigmoid(a) * (1 - sigmoid(a))
    assert sp.diff(tanh(a), a).doit() == 1 - tanh(a) ** 2
    assert sp.diff(relu(a), a).doit().subs(a, -1) == 0
    second = sp.diff(sigmoid(a), a, 2).subs(a, sp.Rational(3, 10))
    exact = sp.diff(1 / (1 + sp.exp(-a)), a, 2).subs(a, sp.Rational(3, 10))
    assert abs(second.evalf(30) - exact.evalf(30)) < 1e-28
    assert abs(dtanh(sp.Integer(20)).evalf(20) / sp.sech(20).evalf(30) ** 2 - 1) < 1e-18
    assert (
        abs(dsigmoid(sp.Integer(40)).evalf(20) - sp.exp(-40).evalf(30) / (1 + sp.exp(-40)).evalf(30) ** 2) < 1e-36
    )


def test_notebook_display_has_the_whole_equation():
    text = ls.jacobian(ls.LSTM, "c", "c")._repr_latex_()
    assert text == r"$\displaystyle \frac{\partial c_t}{\partial c_{t-1}} = \operatorname{diag}(f_t)$"
