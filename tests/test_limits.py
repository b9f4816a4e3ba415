"""``limit`` and ``zero_state``: simplified Jacobians, eigenvalues and critical gains, against dense numbers."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import linear_sum_assignment

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.functions import logsigmoid, sigmoid, tanh

ALL = [getattr(cells, name) for name in (*cells.__all__, "NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG")]
ALL += [ls.RNN(activation="sigmoid"), ls.RNN(activation="identity"), ls.IndRNN(activation="tanh")]
ALL += [ls.stack(ls.LSTM, ls.LSTM), ls.stack(ls.RNN, ls.GRU)]
SECOND_ORDER = ls.Cell(
    "second order",
    "h = tanh(W_hh @ h_prev + W_xh @ x + 0.5 * k_prev)\n k = 1 * h_prev",
    states="h k",
)


# --- limits of gates --------------------------------------------------------------------------------------------


def limited(cell, of, wrt, path="partial", **limits):
    return str(ls.limit(ls.jacobian(cell, of, wrt, path=path), **limits))


def test_open_and_closed_gates():
    assert limited(ls.LSTM, "c", "h", f=1, i=0) == "0"
    assert limited(ls.LSTM, "c", "c", f=1, i=0) == "I"
    assert limited(ls.LSTM, "c", "h", f=1) == "diag(g⊙i⊙(1−i))·W_hi + diag(i⊙(1−g²))·W_hg"
    assert limited(ls.LSTM, "h", "h", f=1, i=0) == "diag(m⊙o⊙(1−o))·W_ho"
    assert limited(ls.GRU, "h", "h", z=1) == "I"
    assert limited(ls.GRU, "h", "h", z=0, r=1) == "diag(1−n²)·W_qn"
    assert limited(ls.LSTM, "c", "h", i=0.5, f=0) == "diag(0.25·g)·W_hi + diag(0.5·(1−g²))·W_hg"


def test_a_saturated_gate_keeps_its_value():
    assert limited(ls.LSTM, "c", "h", saturated="f i o") == "diag(i⊙(1−g²))·W_hg"
    assert limited(ls.LSTM, "c", "h", saturated=["f"], i=0) == "0"
    assert limited(ls.LSTM, "h", "h", saturated="f i o") == "diag(i⊙o⊙(1−g²)⊙(1−m²))·W_hg"
    assert limited(ls.LSTM, "h", "c", saturated="m") == "0"


def test_a_limit_holds_at_every_step():
    total = ls.jacobian(ls.LSTM, "c", "c", path="total")
    assert "oₜ₋₁" in str(total)
    assert str(ls.limit(total, o=0)) == "diag(f)"
    assert str(ls.limit(total, o_prev=0)) == "diag(f)"
    assert str(ls.limit(ls.jacobian(ls.LSTM, "h", "c", path="total"), o_prev=0)) == "diag(f⊙o⊙(1−m²))"


def test_what_follows_from_a_limit_is_put_in_too():
    open_gate = ls.limit(cells.CIFG, f=1)
    assert [str(block) for block in open_gate] == [str(block) for block in ls.limit(cells.CIFG, i=0)]
    assert str(open_gate["c", "c"]) == "I"
    assert str(open_gate["c", "h"]) == "0"
    assert str(ls.limit(ls.jacobian(ls.RNN, "h", "h"), a_h=0)) == "W_hh"
    assert str(ls.limit(ls.jacobian(ls.LSTM, "h", "c"), c=0)) == "diag(f⊙o)"


def test_tables_cells_transposes_and_equations():
    table = ls.limit(ls.LSTM, f=1, i=0, saturated="o")
    assert [[str(table[r, c]) for c in "hc"] for r in "hc"] == [["0", "diag(o⊙(1−m²))"], ["0", "I"]]
    J = ls.jacobian(ls.LSTM, "c", "h")
    assert ls.limit(J, i=0) == ls.limit(J.T, i=0).T
    assert ls.limit(J, f=1, i=0).equation() == "∂cₜ/∂hₜ₋₁ = 0   (f → 1, i → 0)"
    assert ls.limit(ls.limit(J, f=1), saturated="i").equation().endswith("(f → 1, i saturated)")


@pytest.mark.parametrize("cell", [ls.LSTM, ls.PeepholeLSTM, ls.GRU, ls.MGU, ls.JANET], ids=lambda c: c.name)
def test_the_kernel_comes_to_the_limit_as_biases_grow(cell):
    """Forget and update gates driven to 1 by their bias: the dense Jacobian comes to the limit's, to rounding."""
    gate = "f" if "f" in cell.node else "z"
    kernel = ls.Kernel(cell)
    p = kernel.parameters(4, 2, rng=2, **{f"b_{gate}": 60.0})
    rng = np.random.default_rng(3)
    x, state = rng.standard_normal(2), 0.5 * rng.standard_normal(kernel.state_size(p))
    values = kernel.evaluate(p, x, state)
    simplified = ls.limit(cell, **{gate: 1})
    assert gate not in {s.name for block in simplified for t in block for d in t.diagonals for s in d.free_symbols}
    assert np.allclose(simplified.evaluate({**p, **values}), kernel.jacobian(p, x, state), rtol=0, atol=1e-15)
    assert (
        np.abs(kernel.jacobian(p | {f"b_{gate}": np.zeros(4)}, x, state) - kernel.jacobian(p, x, state)).max()
        > 0.01
    )


INVERSES = {sigmoid: lambda v: np.log(v / (1 - v)), tanh: np.arctanh, logsigmoid: lambda v: -np.log(np.expm1(-v))}


def gates(cell):
    """(gate, its inverse, pre-activation, a bias) for every gate whose bias can bring it to any value."""
    for gate, node in cell.node.items():
        inverse = INVERSES.get(type(getattr(node, "expression", None)))
        before = cell.node.get(str(node.expression.args[0])) if inverse else None
        if before is not None and getattr(before, "biases", ()):
            yield gate, inverse, before.name, before.biases[0]


@pytest.mark.parametrize("cell", [cell for cell in ALL if any(gates(cell))], ids=lambda cell: cell.name)
def test_a_limit_is_the_jacobian_where_a_bias_holds_the_gate_there(cell):
    for gate, inverse, a, bias in gates(cell):
        kernel, rng = ls.Kernel(cell), np.random.default_rng(6)
        p = kernel.parameters(4, 2, rng=rng)
        x, state = rng.standard_normal(2), 0.1 + rng.random(kernel.state_size(p))
        target = -0.75 if cell.node[gate].expression.func is logsigmoid else 0.375
        p |= {bias: p[bias] + inverse(target) - kernel.evaluate(p, x, state)[a]}
        values = kernel.evaluate(p, x, state)
        assert np.allclose(values[gate], target, rtol=0, atol=1e-15)
        rest = {name: value for name, value in values.items() if name not in (gate, a)}
        found = ls.limit(cell, **{gate: target}).evaluate({**p, **rest})
        assert np.allclose(found, kernel.jacobian(p, x, state), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: ls.limit(ls.LSTM, f=2), ValueError, "f = 2: f stays between 0 and 1"),
        (lambda: ls.limit(ls.LSTM, g=-1.5), ValueError, "stays between -1 and 1"),
        (lambda: ls.limit(ls.LSTM, c=np.inf), ValueError, "finite"),
        (lambda: ls.limit(ls.LSTM, c=sp.oo), ValueError, "finite real number"),
        (lambda: ls.limit(ls.LSTM, f="1"), TypeError, "expected a number"),
        (lambda: ls.limit(ls.LSTM, forget=1), ValueError, "unknown vector of LSTM 'forget'"),
        (lambda: ls.limit(ls.LSTM, saturated="f c"), ValueError, "unknown gate of LSTM 'c'.* Known: f, i, g, o, m"),
        (lambda: ls.limit(cells.CIFG, f=1, i=1), ValueError, "contradict"),
        (lambda: ls.limit("LSTM", f=1), TypeError, "expected a Cell"),
        (lambda: ls.limit(ls.jacobian(ls.LSTM, "c", "W_hf"), f=1), TypeError, "Jacobian by a vector"),
    ],
)
def test_refusals_of_limits(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


# --- the zero state ---------------------------------------------------------------------------------------------


def formulas(cell, **given):
    return [str(formula) for part in ls.zero_state(cell, **given).eigenvalues for formula in part.formulas]


def test_eigenvalues_in_closed_form():
    assert formulas(ls.RNN) == ["w"]
    assert formulas(ls.LSTM) == formulas(ls.PeepholeLSTM) == formulas(ls.CoupledLSTM) == ["w/4 + 1/2", "0"]
    assert formulas(ls.LSTM, b_f=1) == ["w/4 + sigmoid(1)", "0"]
    assert formulas(ls.GRU) == formulas(ls.MGU) == ["w/4 + 1/2"]
    assert formulas(ls.UGRNN) == ["w/2 + 1/2"]
    assert formulas(ls.MinGRU) == formulas(ls.MinLSTM) == formulas(ls.MinimalRNN) == ["1/2"]
    assert formulas(ls.LeakyRNN) == ["alpha*w - alpha + 1"]
    assert formulas(ls.LeakyRNN, alpha=0.25) == ["w/4 + 3/4"]
    assert formulas(ls.JANET) == ["w*sigmoid(beta) + 1/2"]
    assert formulas(ls.IndRNN(activation="tanh")) == ["u_h"]
    (part, _) = ls.zero_state(ls.ProjectionLSTM).eigenvalues
    assert [w.name for w in part.words[0][1]] == ["W_hg", "W_qh"]


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
@pytest.mark.parametrize("biased", [False, True])
def test_closed_forms_are_the_eigenvalues_of_the_dense_jacobian(cell, biased):
    kernel = ls.Kernel(cell)
    gate = [name for name in cell.parameters if name.split("_l")[0] in ("b_f", "b_z", "b_o")][:biased]
    given = dict.fromkeys(gate, 0.75)
    zero = ls.zero_state(cell, **given)
    p = kernel.parameters(6, 3, rng=4)
    p |= {name: np.full(6, given.get(name, 0.0)) for name in p if name.startswith("b_")}
    p |= {name: np.linspace(-1, 1, 6) for name in cell.vector_parameters if name[:2] in ("p_", "u_")}
    J = kernel.jacobian(p, np.zeros(3), np.zeros(kernel.state_size(p)))
    vectors = {name: p[name] for name in cell.vector_parameters if name in p}
    weights = {name: p[name] for name in cell.weights if name in p}
    assert np.allclose(zero.jacobian.evaluate({**weights, **vectors}), J, rtol=0, atol=1e-15)
    ours, dense = zero.spectrum(p), np.linalg.eigvals(J)
    distances = np.abs(ours[:, None] - dense[None, :])
    assert distances[linear_sum_assignment(distances)].max() <= 1e-12
    after = kernel.step(p, np.zeros(3), np.zeros(kernel.state_size(p)))
    assert zero.is_fixed_point == (np.abs(after).max() == 0)


def test_what_is_no_fixed_point_says_where_it_goes():
    sigmoid = ls.zero_state(ls.RNN(activation="sigmoid"))
    assert sigmoid.moves_to == {"h": sp.Rational(1, 2)}
    assert str(sigmoid).startswith("RNN (sigmoid) at the zero state, no fixed point: h′ = ½\n")
    assert ls.zero_state(ls.SLSTM).moves_to == {"n": 1}
    rest = ls.zero_state(ls.SLSTM, n=2)
    assert rest.is_fixed_point
    kernel = ls.Kernel(ls.SLSTM)
    p = kernel.parameters(6, 2, rng=0, b_f=0.0)
    state = np.repeat([0.0, 0.0, 2.0, 0.0], 6)
    assert np.allclose(kernel.step(p, np.zeros(2), state), state, rtol=0, atol=1e-15)
    dense = np.linalg.eigvals(kernel.jacobian(p, np.zeros(2), state))
    distances = np.abs(rest.spectrum(p)[:, None] - dense[None, :])
    assert distances[linear_sum_assignment(distances)].max() <= 1e-12
    assert not ls.zero_state(ls.LSTM, b_g=1).is_fixed_point
    assert "differs from unit to unit" in str(ls.zero_state(ls.ProjectionLSTM, b_g=1))


def test_a_kink_is_said():
    assert ls.zero_state(ls.RNN(activation="relu")).has_kink
    assert not ls.zero_state(ls.RNN).has_kink


def test_several_matrices_that_do_not_combine_have_no_closed_form():
    zero = ls.zero_state(cells.FGR)
    assert zero.critical_gain is None
    assert "no closed form  block of i, f, o" in str(zero)
    with pytest.raises(ValueError, match="no closed form"):
        zero.spectrum(ls.Kernel(cells.FGR).parameters(3, 2, rng=0))


def test_critical_gains():
    gains = {cell.name: ls.zero_state(cell).critical_gain for cell in ALL}
    expected = {
        "RNN": 1,
        "LSTM": 2,
        "GRU": 2,
        "MGU": 2,
        "UGRNN": 1,
        "leaky RNN": 1,
        "LSTM (1997)": 0,
        "minGRU": sp.oo,
    }
    assert {name: gains[name] for name in expected} == expected
    assert gains["projection LSTM"] == sp.sqrt(2)  # w of a product of two matrices fills |w| ≤ gain²
    assert gains["RNN (sigmoid)"] == 4
    assert float(ls.zero_state(ls.LSTM, b_f=1).critical_gain) == pytest.approx(4 - 4 / (1 + np.exp(-1)), rel=1e-15)
    epsilon, gamma = 0.1, 0.01  # |1 − εγ + iεs| = 1 at s = 2√2·gain
    s = np.sqrt(1 - (1 - epsilon * gamma) ** 2) / epsilon
    assert float(gains["antisymmetric RNN"]) == pytest.approx(s / (2 * np.sqrt(2)), rel=1e-14)


def test_a_quadratic_pair_of_eigenvalues_and_its_gain():
    """λ² − wλ − ½ = 0: w = λ − 1/(2λ), least in magnitude on the unit circle at λ = 1, w = ½."""
    zero = ls.zero_state(SECOND_ORDER)
    assert zero.critical_gain == sp.Rational(1, 2)
    kernel = ls.Kernel(SECOND_ORDER)
    p = kernel.parameters(6, 2, rng=1)
    dense = np.linalg.eigvals(kernel.jacobian(p, np.zeros(2), np.zeros(12)))
    distances = np.abs(zero.spectrum(p)[:, None] - dense[None, :])
    assert distances[linear_sum_assignment(distances)].max() <= 1e-12
    for w, largest in ((0.49, -1), (0.51, 1)):
        radius = np.abs(zero.spectrum(W_hh=np.array([[w]]))).max()
        assert np.sign(radius - 1) == largest


TWO = ls.Cell("two matrices", "h = tanh(W_hh @ h_prev + 0.5 * (V_hh @ h_prev) + W_xh @ x)", states="h")
SYMMETRIC = ls.Cell("symmetric", "h = tanh(W_hh @ h_prev + W_hh.T @ h_prev + W_xh @ x)", states="h")


def test_gains_of_sums_of_matrices():
    assert ls.zero_state(TWO).critical_gain == 2 / sp.sqrt(5)  # variances add: 1 + ¼
    assert ls.zero_state(SYMMETRIC).critical_gain == 1 / (2 * sp.sqrt(2))


@pytest.mark.parametrize(
    "cell",
    [ls.RNN, ls.LSTM, ls.ProjectionLSTM, ls.AntisymmetricRNN, ls.JANET, TWO, SYMMETRIC],
    ids=lambda cell: cell.name,
)
def test_the_spectral_radius_passes_one_at_the_critical_gain(cell):
    zero = ls.zero_state(cell)
    gain = float(zero.critical_gain)
    kernel = ls.Kernel(cell)
    for factor, beyond in ((0.8, False), (1.25, True)):
        p = kernel.parameters(100, 1, rng=0, gain=factor * gain)
        assert (np.abs(zero.spectrum(p)).max() > 1) == beyond


def test_text_and_latex():
    text = str(ls.zero_state(ls.LSTM, b_f=1))
    assert text.splitlines()[0] == "LSTM at the zero state with b_f = 1, a fixed point"
    assert "eigenvalues    σ(1) + ¼·w" in text
    assert ls.latex(ls.zero_state(ls.RNN), equation=True) == (
        "J_0 = W_{hh}, \\quad \\lambda \\in \\{w : w \\in \\operatorname{spec}(W_{hh})\\}"
    )
    lstm = ls.zero_state(ls.LSTM).latex(equation=True)
    assert r"\{\tfrac{1}{2} + \tfrac{1}{4}\, w : w \in \operatorname{spec}(W_{hg})\} \cup \{0\}" in lstm


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: ls.zero_state(ls.LSTM, x=1), ValueError, "unknown bias, vector, constant or state of LSTM 'x'"),
        (lambda: ls.zero_state(ls.LSTM, b_f="1"), TypeError, "one number for all units"),
        (lambda: ls.zero_state(ls.LSTM, b_f=np.nan), ValueError, "finite"),
        (lambda: ls.zero_state(ls.LeakyRNN, alpha=sp.Symbol("a")), ValueError, "finite real number"),
        (lambda: ls.zero_state("LSTM"), TypeError, "expected a Cell"),
        (lambda: ls.zero_state(ls.LSTM).spectrum(), ValueError, "no value for W_hg"),
        (lambda: ls.zero_state(ls.MinGRU).spectrum(), ValueError, "size cannot be told"),
    ],
)
def test_refusals_of_zero_state(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()
