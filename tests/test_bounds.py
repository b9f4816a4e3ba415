"""``bound``: the printed bounds, that they hold for every cell at any saturation, and that they are attained."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.utilities.lambdify import lambdify

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.calculus.bounds.extrema import enclosure
from lstm_sym.calculus.bounds.intervals import Range
from lstm_sym.calculus.bounds.ranges import ranges
from lstm_sym.functions import NUMPY_FORMS, logsigmoid, maximum, relu, sigmoid, tanh
from lstm_sym.notation import lagged

ALL = [getattr(cells, name) for name in (*cells.__all__, "NOAF", "CIFG", "FGR")]
ALL += [ls.RNN(activation=a) for a in ("relu", "sigmoid", "identity")]
ALL += [ls.stack(ls.LSTM, ls.GRU)]
ONE = Range(sp.Integer(-1), sp.Integer(1))
UNIT = Range(sp.Integer(0), sp.Integer(1))
f, i, g, c = sp.symbols("f i g c", real=True)


def text(cell, of, wrt, **given):
    return str(ls.bound(cell, of, wrt, **given))


def test_the_text_book_bounds():
    assert text(ls.LSTM, "c", "h") == "¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖"
    assert text(ls.LSTM, "h", "h") == "¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖ + ¼‖W_ho‖"
    assert text(ls.LSTM, "c", "c") == text(ls.LSTM, "h", "c") == "1"
    assert text(ls.LSTM, "h", "x") == "¼‖c‖∞·‖W_xf‖ + ¼‖W_xi‖ + ‖W_xg‖ + ¼‖W_xo‖"
    assert text(ls.GRU, "h", "h") == "1 + ½‖W_hz‖ + ‖W_qn‖ + ¼‖W_hr‖·‖W_qn‖"
    assert text(ls.RNN, "h", "h") == "‖W_hh‖"
    assert text(ls.RNN(activation="sigmoid"), "h", "h") == "¼‖W_hh‖"
    assert text(ls.LSTM, "f", "c") == "0"
    assert text(ls.LSTM, "c", "c", path="total") == "1 + ¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖"


def test_the_inequality_in_unicode_and_latex():
    bound = ls.bound(ls.LSTM, "c", "h")
    assert bound.equation() == "‖∂cₜ/∂hₜ₋₁‖ ≤ ¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖"
    assert bound.latex(equation=True) == (
        r"\left\lVert \frac{\partial c_t}{\partial h_{t-1}} \right\rVert \le \tfrac{1}{4}\, \lVert c_{t-1}"
        r" \rVert_\infty\, \lVert W_{hf} \rVert + \tfrac{1}{4}\, \lVert W_{hi} \rVert + \lVert W_{hg} \rVert"
    )
    assert ls.bound(ls.LSTM, "state", "state").equation().splitlines() == [
        "‖∂(hₜ, cₜ)/∂(hₜ₋₁, cₜ₋₁)‖ ≤ ‖ ¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖ + ¼‖W_ho‖   1 ‖",
        "                            ‖ ¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖             1 ‖",
    ]


def test_ranges_of_states_are_invariant_ones():
    assert ranges(ls.GRU)["h"] == ranges(ls.LSTM)["h"] == ranges(ls.LeakyRNN)["h"] == ONE
    assert ranges(ls.LSTM)["c"] == ranges(ls.JANET)["h"] == Range(-sp.oo, sp.oo)
    assert ranges(ls.CoupledLSTM)["c_prev"] == ranges(cells.CIFG)["c_prev"] == ONE
    assert ranges(ls.RNN(activation="sigmoid"))["h_prev"] == UNIT
    assert ranges(ls.SLSTM)["f"] == ranges(ls.SLSTM)["i"] == UNIT  # exp(a − max(a, b)) ≤ 1
    bound = ls.bound(ls.LSTM, "c", "h")
    assert bound.ranges == {"f": UNIT, "i": UNIT, "g": ONE}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f * (1 - f), Range(0, sp.Rational(1, 4))),
        (1 - g**2, Range(0, 1)),
        (g * i * (1 - i), Range(-sp.Rational(1, 4), sp.Rational(1, 4))),
        (f**2 * (1 - f), Range(0, sp.Rational(4, 27))),
        (g * (1 - g**2), Range(-2 * sp.sqrt(3) / 9, 2 * sp.sqrt(3) / 9)),
        (f * g + (1 - f) * c, ONE),
        (f / (f + i), UNIT),
        (f / (f + i) * g + i / (f + i) * c, ONE),
        (f * i / (f + i) ** 2 * (1 - f), Range(0, sp.Rational(1, 4))),
        (f * (1 - f) * (g - c), Range(-sp.Rational(1, 2), sp.Rational(1, 2))),
    ],
)
def test_extrema_are_exact(expression, expected):
    found = enclosure(expression, {f: UNIT, i: UNIT, g: ONE, c: ONE})
    assert [sp.expand(a - b) for a, b in zip(found, expected, strict=True)] == [0, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=5), st.integers(-3, 0), st.integers(1, 3))
def test_the_range_of_a_polynomial_is_its_range(coefficients, low, high):
    found = enclosure(sp.Poly(coefficients, f).as_expr(), {f: Range(sp.Integer(low), sp.Integer(high))})
    values = np.polyval(coefficients, np.linspace(low, high, 4001))
    assert float(found.low) - 1e-12 <= values.min() <= float(found.low) + 1e-3
    assert float(found.high) - 1e-3 <= values.max() <= float(found.high) + 1e-12


def run(cell, rng, gain, bias, n=3, steps=20):
    """Jacobians and all values along a run from the zero state."""
    kernel = ls.Kernel(cell)
    p = kernel.parameters(n, 2, rng=rng, gain=gain)
    p |= {name: bias * rng.standard_normal(n) for name in p if p[name].ndim == 1}
    x = rng.standard_normal((steps, 2))
    orbit = ls.run(kernel, p, x)
    values = kernel.evaluate(p, x, orbit.previous)
    return p, values, kernel.jacobian(p, x, orbit.previous)


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_bounds_hold(cell):
    bound = ls.bound(cell, "state", "state")
    rng = np.random.default_rng(5)
    for gain in (0.3, 1.0, 3.0, 20.0):
        for bias in (0.0, 1.0, 10.0):
            activation = cell.choices.get("activation")
            if gain > 1 and activation in ("relu", "identity"):
                continue
            p, values, J = run(cell, rng, gain, bias)
            norms = np.linalg.norm(J, 2, axis=(-2, -1))
            limits = np.broadcast_to(bound.evaluate(p, **values), norms.shape)
            assert (norms <= limits * (1 + 1e-14)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 30), st.floats(0, 30), st.sampled_from([ls.LSTM, ls.GRU, ls.SLSTM]))
def test_bounds_hold_block_by_block_whatever_the_parameters(seed, gain, bias, cell):
    p, values, _ = run(cell, np.random.default_rng(seed), gain, bias, steps=5)
    for block in ls.jacobian(cell, "state", "state"):
        norms = np.linalg.norm(block.evaluate({**p, **values}), 2, axis=(-2, -1))
        limits = ls.bound(cell, block.of, cell[block.wrt]).evaluate(p, **values)
        assert (norms <= np.broadcast_to(limits, norms.shape) * (1 + 1e-14)).all()


@pytest.mark.parametrize("cell", [ls.LSTM, ls.PeepholeLSTM, ls.SLSTM], ids=lambda cell: cell.name)
@pytest.mark.parametrize("path", ["total", "direct"])
def test_bounds_of_other_paths_hold(cell, path):
    """Total derivatives read the gates of the step before, which share the ranges of their names."""
    for gain, bias in ((1.0, 1.0), (4.0, 0.1)):
        p, values, _ = run(cell, np.random.default_rng(7), gain, bias)
        now = {name: array[2:] for name, array in values.items() if np.ndim(array) > 1}
        earlier = {lagged(name): array[1:-1] for name, array in values.items() if np.ndim(array) > 1}
        given = {**p, **earlier, **now}
        for state in cell.states:
            block = ls.jacobian(cell, state, state, path=path)
            norms = np.linalg.norm(block.evaluate(given), 2, axis=(-2, -1))
            limits = ls.bound(cell, state, state, path=path).evaluate(given)
            assert (norms <= np.broadcast_to(limits, norms.shape) * (1 + 1e-14)).all()


@pytest.mark.parametrize(("activation", "factor"), [("tanh", 1.0), ("sigmoid", 0.25)])
def test_the_bound_of_the_rnn_is_attained_at_zero_pre_activation(activation, factor):
    cell = ls.RNN(activation=activation)
    kernel = ls.Kernel(cell)
    p = kernel.parameters(7, 1, rng=3)
    bound = ls.bound(cell, "h", "h").evaluate(p)
    assert bound == pytest.approx(factor * np.linalg.norm(p["W_hh"], 2), rel=1e-15)
    assert np.linalg.norm(kernel.jacobian(p, [0.0], np.zeros(7)), 2) == pytest.approx(bound, rel=1e-12)


def test_the_bounds_of_the_lstm_are_attained_one_by_one():
    """f = ½ with i = 0 for ¼‖c‖∞‖W_hf‖, i = ½ with |g| = 1 for ¼‖W_hi‖, i = 1 with g = 0 for ‖W_hg‖."""
    J, n = ls.jacobian(ls.LSTM, "c", "h"), 4
    rng = np.random.default_rng(1)
    weights = {name: rng.standard_normal((n, n)) for name in ("W_hf", "W_hi", "W_hg")}
    zero, values = np.zeros(n), {"c_prev": np.full(n, 3.0)}
    for alone, at in {
        "W_hf": {"f": zero + 0.5, "i": zero, "g": zero},
        "W_hi": {"f": zero, "i": zero + 0.5, "g": zero - 1},
        "W_hg": {"f": zero, "i": zero + 1, "g": zero},
    }.items():
        given = {name: weights[name] * (name == alone) for name in weights}
        bound = ls.bound(ls.LSTM, "c", "h").evaluate(given, **values)
        assert np.linalg.norm(J.evaluate({**given, **values, **at}), 2) == pytest.approx(bound, rel=1e-14)


def test_numbers_come_from_norms_or_arrays_and_keep_leading_axes():
    bound = ls.bound(ls.LSTM, "c", "h")
    assert bound.evaluate(W_hf=2, W_hi=4, W_hg=1, c=3.0) == 1.5 + 1 + 1
    c = np.array([[1.0, -2.0], [0.0, 0.5]])
    assert bound.evaluate({"W_hf": 4 * np.eye(2)}, W_hi=0, W_hg=0, c_prev=c).tolist() == [2.0, 0.5]
    assert ls.bound(ls.LeakyRNN, "h", "h").evaluate(W_hh=0.5, alpha=0.5) == 0.75
    assert ls.bound(ls.LeakyRNN, "h", "h").evaluate(W_hh=0.5) == pytest.approx(0.95, rel=1e-15)


def test_a_forget_gate_below_one_bounds_the_cell_state():
    """|c| ≤ 0.9·|c| + 1 leaves [−10, 10] invariant, and no smaller interval."""
    found = ranges(ls.LSTM, (("f", Range(sp.Integer(0), sp.Rational(9, 10))),))
    assert found["c"] == found["c_prev"] == Range(sp.Integer(-10), sp.Integer(10))
    assert text(ls.LSTM, "c", "h", f=(0, 0.9)) == "5/2·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖"


def test_ranges_given_by_hand_sharpen_a_bound():
    assert text(ls.LSTM, "c", "h", c=(-2, 2)) == "½‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖"
    assert text(ls.LSTM, "c", "c", f=(0, 0.9)) == "9/10"
    assert text(ls.LSTM, "f", "h", f=(0.9, 1)) == "9/100·‖W_hf‖"
    assert str(ls.bound(ls.LSTM, "c", "c", path="direct", f=(0, 0.9)).vanishing) == "9/10 < 1"


def test_conditions_for_vanishing():
    assert str(ls.bound(ls.RNN, "h", "h").vanishing) == "‖W_hh‖ < 1"
    condition = ls.bound(ls.RNN(activation="sigmoid"), "state", "state").vanishing
    assert str(condition) == "‖W_hh‖ < 4"
    assert condition.latex() == r"\lVert W_{hh} \rVert < 4"
    assert condition.holds(W_hh=3.99)
    assert not condition.holds(W_hh=4.01)
    gated = ls.bound(ls.GRU, "h", "h").vanishing
    assert gated.never
    assert str(gated).endswith("‖W_qn‖ < 1   (never: the left side is at least 1)")
    lstm = ls.bound(ls.LSTM, "state", "state", f=(0, 0.5), m=(-0.1, 0.1), o=(0, 0.5)).vanishing
    assert not lstm.never
    small = {name: 0.01 * np.eye(2) for name in ("W_hf", "W_hi", "W_hg", "W_ho")}
    assert lstm.holds(small, c=0.2)
    assert not lstm.holds(small | {"W_hg": 2 * np.eye(2)}, c=0.2)


def test_gradients_vanish_where_the_condition_holds():
    kernel = ls.Kernel(ls.RNN)
    p = kernel.parameters(5, 2, rng=0)
    p["W_hh"] *= 0.9 / np.linalg.norm(p["W_hh"], 2)
    assert ls.bound(ls.RNN, "h", "h").vanishing.holds(p)
    orbit = ls.run(kernel, p, np.random.default_rng(1).standard_normal((50, 2)))
    logs = ls.gradient_norms(orbit, "h", "h")
    assert (logs <= np.log(0.9) * np.arange(1, 51) + 1e-12).all()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: ls.bound(ls.LSTM, "c", "h", phi=(0, 1)), ValueError, "unknown vector of LSTM 'phi'"),
        (lambda: ls.bound(ls.LSTM, "c", "h", f=0.5), ValueError, r"f = 0.5: expected a range, \(low, high\)"),
        (lambda: ls.bound(ls.LSTM, "c", "h", f=(1, 0)), ValueError, "low ≤ high"),
        (lambda: ls.bound(ls.LSTM, "c", "h", f=(2, 3)), ValueError, r"f = \(2, 3\): f stays between 0 and 1"),
        (lambda: ls.bound(ls.LSTM, "c", "h", path="loop"), ValueError, "unknown path 'loop'"),
        (lambda: ls.bound("LSTM", "c", "h"), TypeError, "expected a Cell"),
        (lambda: ls.bound(ls.LSTM, "c", "W_hf"), ValueError, "'W_hf' is no vector"),
        (lambda: ls.bound(ls.LSTM, "c", "h").vanishing, ValueError, "whole state Jacobians"),
        (lambda: ls.bound(ls.LSTM, "h", "h").vanishing, ValueError, "whole state Jacobians"),
        (lambda: ls.bound(ls.LSTM, "c", "h").evaluate(W_hf=1, W_hi=1, W_hg=1), ValueError, "no value for c_prev"),
        (lambda: ls.bound(ls.RNN, "h", "h").evaluate(W_hh=np.nan), ValueError, "expected finite numbers"),
        (lambda: ls.bound(ls.RNN, "h", "h").evaluate(W_hz=1), ValueError, "unknown quantity of RNN 'W_hz'"),
        (lambda: ls.bound(ls.RNN, "h", "h").evaluate(W_hh=np.ones(3)), ValueError, r"shape \(3,\): expected"),
        (lambda: ls.bound(ls.LSTM, "state", "state")["c", "x"], ValueError, "unknown block"),
    ],
)
def test_refusals(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def random_expression(draw, depth):
    """Sums, products, ratios and functions of f, i ∈ [0, 1], g, c ∈ [−1, 1], nested."""
    if depth == 0:
        return draw(st.sampled_from([f, i, g, c, sp.Integer(2), sp.Integer(-1)]))
    a, b = (random_expression(draw, depth - 1) for _ in range(2))
    forms = [a + b, a * b, (1 - a) * b, a**2, f * a / (f + i), i * a / (f + i), a / (1 + b**2), 1 - a]
    forms += [sigmoid(a), tanh(a), relu(a), logsigmoid(a), sp.exp(a - maximum(a, b))]
    return draw(st.sampled_from(forms))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.integers(1, 3))
def test_no_value_is_outside_an_enclosure(data, depth):
    expression = random_expression(data.draw, depth)
    found = enclosure(expression, {f: UNIT, i: UNIT, g: ONE, c: ONE})
    rng = np.random.default_rng(0)
    points = {f: rng.random(500), i: rng.random(500), g: rng.uniform(-1, 1, 500), c: rng.uniform(-1, 1, 500)}
    points = {name: np.concatenate([values, np.ones(10), np.full(10, 1e-9)]) for name, values in points.items()}
    evaluated = lambdify(list(points), expression, modules=[dict(NUMPY_FORMS), "numpy"])(*points.values())
    values = np.broadcast_to(evaluated, 520)
    assert float(found.low) - 1e-12 <= values.min()
    assert values.max() <= float(found.high) + 1e-12
