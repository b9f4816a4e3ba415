"""Kernels against independent routes: complex step, mpmath, PyTorch, finite sums; and what they refuse."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from conftest import GRU, PEEPHOLE, PROJECTION

import lstm_sym as ls
from lstm_sym.functions import NUMPY_FORMS
from lstm_sym.kernels import blocks, forward, recursion

SHAPES = [(), (1,), (5,), (3, 4), (0,)]


def sizes_of(cell: ls.Cell, n: int = 16, m: int = 5) -> dict[str, int]:
    return {"hidden": n, "inputs": m}


def setting(cell: ls.Cell, batch=(), n=16, scale=1.0, seed=0):
    kernel = ls.Kernel(cell)
    rng = np.random.default_rng(seed)
    p = kernel.parameters(n, 5, rng=rng, gain=1.5)
    p = {name: scale * (array + 0.3 * rng.standard_normal(array.shape)) for name, array in p.items()}
    S = kernel.state_size(p)
    return kernel, p, rng.standard_normal((*batch, 5)), rng.standard_normal((*batch, S)), rng


def by_complex_step(kernel, p, x, state):
    columns = [kernel.step(p, x, state + 1e-30j * e).imag / 1e-30 for e in np.eye(state.shape[-1])]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("batch", SHAPES, ids=str)
@pytest.mark.parametrize("scale", [1.0, 12.0], ids=["moderate", "saturated"])
def test_jacobian_is_the_complex_step_derivative(cell, batch, scale):
    kernel, p, x, state, _ = setting(cell, batch, scale=scale)
    ours, theirs = kernel.jacobian(p, x, state), by_complex_step(kernel, p, x, state)
    assert ours.shape == theirs.shape == (*batch, state.shape[-1], state.shape[-1])
    size = np.abs(theirs).max(initial=1e-300)
    assert np.abs(ours - theirs).max(initial=0.0) <= 1e-14 * size


def test_jvp_and_vjp_apply_the_jacobian(cell):
    kernel, p, x, state, rng = setting(cell, (6,))
    J, v = kernel.jacobian(p, x, state), rng.standard_normal(state.shape)
    assert np.allclose(kernel.jvp(p, x, state, v), np.einsum("bij,bj->bi", J, v), rtol=0, atol=2e-14)
    assert np.allclose(kernel.vjp(p, x, state, v), np.einsum("bij,bi->bj", J, v), rtol=0, atol=2e-14)


def test_leading_axes_broadcast(cell):
    kernel, p, x, state, rng = setting(cell, (4,))
    one, many = x[0], rng.standard_normal((3, 1, state.shape[-1]))
    J = kernel.jacobian(p, x, many)
    assert J.shape[:2] == (3, 4)
    assert np.allclose(J[2, 1], kernel.jacobian(p, x[1], many[2, 0]), rtol=0, atol=1e-14)
    assert kernel.step(p, one, many).shape == (3, 1, state.shape[-1])
    assert kernel.jvp(p, one, state[0], state).shape == state.shape


def test_any_named_block_in_numbers(cell):
    kernel, p, x, state, _ = setting(cell)
    whole = kernel.jacobian(p, x, state)
    for of, rows in kernel.blocks(p).items():
        for wrt, columns in kernel.blocks(p).items():
            assert np.allclose(kernel.jacobian(p, x, state, of, wrt), whole[rows, columns], rtol=1e-15, atol=1e-15)
    columns = [kernel.step(p, x + 1e-30j * e, state).imag / 1e-30 for e in np.eye(5)]
    parts = np.concatenate([kernel.jacobian(p, x, state, of, "x") for of in cell.states])
    assert np.allclose(parts, np.stack(columns, -1), rtol=0, atol=1e-14)


def test_log_determinant_is_that_of_the_dense_jacobian(cell):
    kernel, p, x, state, _ = setting(cell, (3,), n=7)
    if cell.name in ("GRU", "leaky RNN", "ratio gate"):
        assert kernel.log_determinant is None  # sums of terms: no closed form
        return
    if cell.name == "projection LSTM":
        assert np.isneginf(kernel.log_determinant(p, x, state)).all()  # h = W c: singular whatever the numbers
        return
    expected = np.linalg.slogdet(kernel.jacobian(p, x, state))[1]
    ours = kernel.log_determinant(p, x, state)
    assert np.array_equal(np.isneginf(ours), np.isneginf(expected))
    assert np.allclose(ours[np.isfinite(ours)], expected[np.isfinite(expected)], rtol=0, atol=1e-10)


@pytest.mark.parametrize("batch", [(), (3,)], ids=str)
def test_gradient_is_the_complex_step_derivative(cell, batch):
    kernel, p, _, _, rng = setting(cell, n=4)
    if cell.outputs:
        p |= {"W_hy": rng.standard_normal((2, 4)), "b_y": rng.standard_normal(2)}
    inputs, S = rng.standard_normal((6, *batch, 5)), kernel.state_size(p)
    start = rng.standard_normal(S)
    weight = rng.standard_normal((6, *batch, S))
    target = rng.standard_normal((6, *batch, 2))

    def loss(run):
        state = np.concatenate([run[s] for s in cell.states], axis=-1)
        value, by = (weight * state).sum(), {"state": weight}
        if "y" in run:
            value, by = value + 0.5 * ((run["y"] - target) ** 2).sum(), {**by, "y": run["y"] - target}
        return value, by

    found = kernel.gradient(p, inputs, loss, start)

    def value(changed, x=inputs, s0=start):
        states = kernel.unroll(changed, x, s0)
        before = np.concatenate([np.broadcast_to(s0, states.shape[1:])[None], states[:-1]])
        return loss(kernel.evaluate(changed, x, before))[0]

    assert abs(found.value - value(p)) <= 1e-14 * abs(found.value)
    steps = [(lambda e, n=name: value({**p, n: p[n] + e}), p[name], found.parameters[name]) for name in p]
    steps.append((lambda e: value(p, x=inputs + e), inputs, found.inputs))
    steps.append((lambda e: value(p, s0=start + e), start, found.initial))
    for shifted, array, gradient in steps:
        assert gradient.shape == array.shape
        direction = rng.standard_normal(array.shape)
        expected = shifted(1e-30j * direction).imag / 1e-30
        scale = np.abs(gradient * direction).sum() + 1e-300
        assert abs((gradient * direction).sum() - expected) <= 1e-14 * scale


@pytest.mark.parametrize(
    "text",
    [
        "u = tanh(x)\nh = tanh(W_uh @ u + W_hh @ h_prev + b_h)\ny = W_hy @ h",
        "h = tanh(W_xh @ x + W_hh @ h_prev + b_h)\ny = W_hy @ h + W_xy @ x",
    ],
)
def test_gradient_by_inputs_that_are_read_elsewhere_than_in_a_recurrent_product(text):
    kernel = ls.Kernel(ls.Cell("test", text, states="h", outputs="y"))
    p = kernel.parameters(3, 2, rng=0, outputs=2)
    rng = np.random.default_rng(1)
    inputs, direction = rng.standard_normal((4, 2)), rng.standard_normal((4, 2))
    found = kernel.gradient(p, inputs, {"y": 1.0}).inputs
    exact = ls.run(kernel, p, inputs + 1e-30j * direction)["y"].imag.sum() / 1e-30
    assert abs((found * direction).sum() - exact) <= 1e-14 * np.abs(found * direction).sum()


MIXED = ls.Cell(
    "mixed",
    """
    u = tanh(x) * x
    a = W_xa @ x + W_ha @ h_prev + W_ga @ h_prev + W_ua @ u
    f = sigmoid(a + p_f * c_prev)
    k = sigmoid(a)
    c = f * c_prev + (1 - k) * tanh(a)
    r = p_r * c * f
    h = W_rh @ r + W_uh @ u + b_h
    y = W_hy @ h + W_xy @ x + W_fy @ f + b_y
    """,
    states="h c",
    vectors="p_f p_r",
    outputs="y",
)


@pytest.mark.parametrize("chunk", [1, 40, 10**6], ids=["a step at a time", "chunks", "at once"])
@pytest.mark.parametrize(
    ("batch", "start_batch"), [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((), (2, 3)), ((3,), ())]
)
@pytest.mark.parametrize("which", [MIXED, PEEPHOLE, GRU, PROJECTION, ls.LSTM], ids=lambda cell: cell.name)
def test_gradient_of_a_loss_by_every_vector(which, batch, start_batch, chunk, monkeypatch):
    """Inputs read elementwise and by outputs, batch axes that broadcast, time in chunks: against complex steps."""
    monkeypatch.setattr(recursion, "CHUNK", chunk)
    kernel, rng = ls.Kernel(which), np.random.default_rng(1)
    n = m = 3
    p = kernel.parameters(n, m, rng=rng, outputs=2 if which.outputs else None)
    p = {name: array + 0.3 * rng.standard_normal(array.shape) for name, array in p.items()}
    inputs, start = rng.standard_normal((5, *batch, m)), rng.standard_normal((*start_batch, kernel.state_size(p)))
    orbit = ls.run(kernel, p, inputs, start)
    names = ["state", *which.node]
    weights = {
        name: rng.standard_normal((orbit.states if name == "state" else orbit[name]).shape) for name in names
    }
    found = kernel.gradient(p, inputs, weights, start)

    def value(changed, x, s0):
        run = ls.run(kernel, changed, x, s0)
        return sum((weights[name] * (run.states if name == "state" else run[name])).sum() for name in names)

    arrays = [
        (found.parameters[name], lambda e, name=name: value({**p, name: p[name] + e}, inputs, start)) for name in p
    ]
    arrays.append((found.inputs, lambda e: value(p, inputs + e, start)))
    arrays.append((found.initial, lambda e: value(p, inputs, start + e)))
    for gradient, shifted in arrays:
        direction = rng.standard_normal(gradient.shape)
        expected = shifted(1e-30j * direction).imag / 1e-30
        assert abs((gradient * direction).sum() - expected) <= 1e-14 * np.abs(gradient * direction).sum()
    assert found.inputs.shape == inputs.shape
    assert found.initial.shape == start.shape


def test_gradient_of_a_cell_without_inputs_or_batch_members():
    kernel = ls.Kernel(ls.Cell("autonomous", "h = tanh(W_hh @ h_prev + b_h)", states="h", inputs=""))
    p = {"W_hh": np.array([[0.5]]), "b_h": np.array([0.25])}
    slope = 1 - np.tanh(0.5 * 2.0 + 0.25) ** 2
    found = kernel.gradient(p, 1, {"h": 1.0}, [2.0])
    assert np.allclose([found.initial[0], found.parameters["W_hh"][0, 0]], [0.5 * slope, 2.0 * slope], rtol=1e-14)
    assert found.inputs.shape == (1, 0)
    none = kernel.gradient(p, 4, {"h": 1.0}, np.zeros((0, 1)))
    assert none.initial.shape == (0, 1)
    assert none.parameters["b_h"] == 0.0


@pytest.mark.parametrize("batch", [(), (3,)], ids=str)
def test_gradient_in_single_precision(cell, batch):
    kernel, p, _, _, rng = setting(cell, n=4)
    inputs = rng.standard_normal((6, *batch, 5))
    exact = kernel.gradient(p, inputs, {cell.states[0]: 1.0})
    small = {name: array.astype(np.float32) for name, array in p.items()}
    found = kernel.gradient(small, inputs.astype(np.float32), {cell.states[0]: np.float32(1.0)})
    for name, array in found.parameters.items():
        assert array.dtype == np.float32
        scale = np.abs(exact.parameters[name]).max() + 1e-300
        assert np.allclose(array, exact.parameters[name], rtol=0, atol=1e-5 * scale)
    assert found.inputs.dtype == found.initial.dtype == np.float32


def test_a_run_is_its_steps(cell):
    kernel, p, x, state, _ = setting(cell, (7,))
    states = kernel.unroll(p, x, state[0])
    for t in range(7):
        expected = kernel.step(p, x[t], state[0] if t == 0 else states[t - 1])
        assert np.allclose(states[t], expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("piece", [1, 60, 10**6])
def test_jacobians_do_not_depend_on_how_a_run_is_cut(cell, piece, monkeypatch):
    kernel, p, x, state, _ = setting(cell, (6, 2), n=5)
    for given in (x, x[0], x[:1], x[:, :1]):
        expected = np.stack([kernel.jacobian(p, np.broadcast_to(given, x.shape)[t], state[t]) for t in range(6)])
        with monkeypatch.context() as patch:
            patch.setattr(forward, "PIECE", piece)
            patch.setattr(blocks, "MATRICES", piece)
            assert np.allclose(kernel.jacobian(p, given, state), expected, rtol=0, atol=1e-15)


def test_gradient_of_a_linear_loss_given_by_its_derivatives():
    kernel, p, _, _, rng = setting(ls.LSTM, n=4)
    inputs = rng.standard_normal((5, 5))
    last = np.zeros((5, 4))
    last[-1] = 1.0
    found = kernel.gradient(p, inputs, {"c": last})
    product = np.eye(8)
    state, states = np.zeros(8), kernel.unroll(p, inputs)
    for t in range(5):
        product = kernel.jacobian(p, inputs[t], state) @ product
        state = states[t]
    assert found.value is None
    assert np.allclose(found.initial, np.ones(4) @ product[4:], rtol=0, atol=1e-14)


# --- saturation -------------------------------------------------------------------------------------------------


def exact(name: str, a: float) -> mpmath.mpf:
    a = mpmath.mpf(a)
    sigmoid = 1 / (1 + mpmath.exp(-a))
    return {
        "sigmoid": sigmoid,
        "dsigmoid": mpmath.exp(-a) / (1 + mpmath.exp(-a)) ** 2,
        "tanh": mpmath.tanh(a),
        "dtanh": 1 / mpmath.cosh(a) ** 2,
        "relu": max(a, 0),
        "drelu": mpmath.mpf(a > 0),
    }[name]


@pytest.mark.parametrize("copies", [1, 10], ids=["few", "many"])
@pytest.mark.parametrize("name", ["sigmoid", "dsigmoid", "tanh", "dtanh", "relu", "drelu"])
def test_activations_and_slopes_to_the_last_digits(name, copies):
    a = np.concatenate([np.linspace(-700, 700, 281), np.geomspace(1e-12, 40, 60), -np.geomspace(1e-12, 40, 60)])
    with np.errstate(all="raise", under="ignore" if name == "dtanh" else "raise"):
        ours = NUMPY_FORMS[name](np.tile(a, copies))[: a.size]
    with mpmath.workdps(60):
        for value, at in zip(ours, a, strict=True):
            true = exact(name, at)
            if abs(true) < mpmath.mpf(2) ** -1022:  # below the normal doubles: correctly zero or subnormal
                assert abs(value - true) <= 2.0**-1070
            else:
                assert abs(value / true - 1) <= 1e-15


@pytest.mark.parametrize("a", [-1e4, -750.0, 750.0, 1e4])
def test_beyond_the_range_of_doubles_there_are_no_warnings(a):
    with np.errstate(all="raise"):
        for name in ("sigmoid", "dsigmoid", "dtanh"):
            assert np.isfinite(NUMPY_FORMS[name](np.array([a]))).all()
            assert NUMPY_FORMS[name](np.full(5000, a))[0] == NUMPY_FORMS[name](a) == (name == "sigmoid" and a > 0)


def test_saturated_lstm_jacobian_against_mpmath():
    """Unit by unit with diagonal weights, pre-activations up to ±700: every entry to 1e-12, however small."""
    n = 15
    a = np.linspace(-700, 700, n)
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(n, 1, rng=0, W_hf=np.eye(n), W_hi=np.eye(n), W_hg=np.eye(n), W_ho=np.eye(n))
    p |= {name: np.zeros((n, 1)) for name in ("W_xf", "W_xi", "W_xg", "W_xo")}
    biases = {"b_f": a, "b_i": a[::-1].copy(), "b_g": a / 200, "b_o": np.roll(a, 4)}
    c = np.linspace(-1.5, 2.0, n)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        J = kernel.jacobian({**p, **biases}, [0.0], np.concatenate([np.zeros(n), c]))
    with mpmath.workdps(700):
        for k in range(n):
            f, i, o = (1 / (1 + mpmath.exp(-mpmath.mpf(biases[b][k]))) for b in ("b_f", "b_i", "b_o"))
            g = mpmath.tanh(mpmath.mpf(biases["b_g"][k]))
            m = mpmath.tanh(f * mpmath.mpf(c[k]) + i * g)
            dc = mpmath.mpf(c[k]) * f * (1 - f) + g * i * (1 - i) + i * (1 - g**2)
            dh = m * o * (1 - o) + o * (1 - m**2) * dc
            truth = {(n + k, n + k): f, (k, n + k): o * (1 - m**2) * f, (n + k, k): dc, (k, k): dh}
            for place, value in truth.items():
                smallest = mpmath.mpf(2) ** -1070  # products below the doubles: correctly zero or subnormal
                assert abs(J[place] - value) <= max(abs(value) * mpmath.mpf(10) ** -12, smallest)


# --- types, parameters, text ------------------------------------------------------------------------------------


def test_float32_is_kept_and_mixed_becomes_float64(cell):
    kernel, p, x, state, _ = setting(cell, (2,))
    small = {name: array.astype(np.float32) for name, array in p.items()}
    x32, s32 = x.astype(np.float32), state.astype(np.float32)
    assert kernel.step(small, x32, s32).dtype == np.float32
    assert kernel.jacobian(small, x32, s32).dtype == np.float32
    assert kernel.unroll(small, x32[:, None], s32[0]).dtype == np.float32
    assert kernel.step(p, x32, s32).dtype == np.float64


def test_random_parameters_have_the_stated_scales():
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden=400, inputs=300, rng=3, gain=1.7)
    assert list(p) == [name for name in ls.LSTM.parameters if not name.endswith("y")]
    for name in ("f", "i", "g", "o"):
        assert abs(p[f"W_h{name}"].std() * np.sqrt(400) / 1.7 - 1) < 0.01
        assert abs(p[f"W_x{name}"].std() * np.sqrt(300) - 1) < 0.01
    assert np.array_equal(p["b_f"], np.ones(400))
    assert not p["b_i"].any()
    assert p["W_hf"].dtype == np.float64


def test_same_seed_same_numbers_and_overrides_move_nothing_else():
    kernel = ls.Kernel(ls.LSTM)
    a, b = kernel.parameters(4, 3, rng=7), kernel.parameters(4, 3, rng=np.random.default_rng(7), W_xf=0, outputs=2)
    assert np.array_equal(b["W_xf"], np.zeros((4, 3)))
    assert b["W_hy"].shape == (2, 4)
    assert all(np.array_equal(a[name], b[name]) for name in a if name != "W_xf")


def test_the_source_is_the_code_that_runs(golden):
    for kernel in (ls.Kernel(ls.RNN), ls.Kernel(ls.LSTM)):
        golden(f"source_{kernel.cell.name}.py.txt", kernel.source)
        names: dict = {}
        exec(compile(kernel.source, "listing", "exec"), names)
        p = kernel.parameters(3, 2, rng=0)
        x, state = np.array([0.3, -2.0]), np.linspace(-1, 1, kernel.state_size(p))
        values = kernel.evaluate(p, x, state)
        block = names["stage_1"]
        arguments = block.__code__.co_varnames[: block.__code__.co_argcount]
        assert np.array_equal(block(*(values[a] for a in arguments))[-1], values["h"])


def test_kernel_asks_for_a_cell():
    with pytest.raises(TypeError, match="expected a Cell"):
        ls.Kernel("LSTM")


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden = 0: expected an integer from 1"),
        ({"hidden": -3}, "hidden = -3"),
        ({"inputs": 0}, "inputs = 0"),
        ({"hidden": 10**9}, "expected an integer from 1 to 16384"),
        ({"W_hff": 1.0}, "Did you mean 'W_hf'"),
        ({"W_hf": np.zeros((3, 4))}, r"W_hf has shape \(3, 4\): expected a number or \(4, 4\), \(hidden, hidden\)"),
        ({"b_f": np.nan}, "b_f is nan"),
        ({"gain": np.inf}, "gain is inf"),
    ],
)
def test_bad_random_parameters_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ls.Kernel(ls.LSTM).parameters(**{"hidden": 4, "inputs": 3, "rng": 0, **options})


def test_a_size_that_is_no_integer_is_a_type_error():
    with pytest.raises(TypeError, match=r"hidden = 2.5: expected an integer"):
        ls.Kernel(ls.LSTM).parameters(2.5, 3)


def spoiled(**changes):
    p = ls.Kernel(ls.LSTM).parameters(4, 3, rng=0)
    for name, change in changes.items():
        if change is None:
            del p[name]
        else:
            p[name] = change
    return p


NAN = np.zeros((4, 4))
NAN[3, 2] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W_hf": np.zeros((4, 5))}, r"W_hf has shape \(4, 5\): expected \(4, 4\), \(hidden, hidden\)"),
        ({"W_xf": np.zeros((5, 3))}, r"W_xf has shape \(5, 3\): expected \(4, 3\), \(hidden, inputs\)"),
        ({"b_i": np.zeros((4, 1))}, r"b_i has shape \(4, 1\): expected 1 axes"),
        ({"W_hf": NAN}, r"W_hf\[3, 2\] is nan"),
        ({"W_hf": None}, "parameters lack W_hf"),
        ({"W_hq": np.zeros((4, 4))}, "unknown parameter of LSTM 'W_hq'"),
        ({"W_hy": np.zeros((2, 4))}, "parameters lack b_y"),
        ({"b_f": [[1.0], [2.0, 3.0]]}, "not a rectangular array"),
    ],
)
def test_bad_parameters_name_the_parameter(changes, message):
    with pytest.raises(ValueError, match=message):
        ls.Kernel(ls.LSTM).step(spoiled(**changes), np.zeros(3), np.zeros(8))


@pytest.mark.parametrize(
    ("x", "state", "message"),
    [
        (np.zeros(4), np.zeros(8), r"x has shape \(4,\): expected a last axis of 3"),
        (
            np.zeros(3),
            np.zeros(4),
            r"state has shape \(4,\): expected a last axis of 8, \(..., S\), stacked as \(h, c\)",
        ),
        (np.zeros((2, 3)), np.zeros((5, 8)), "do not broadcast"),
        ([0, np.nan, 0], np.zeros(8), r"x\[1\] is nan"),
        (np.zeros(3), np.full(8, np.inf), r"state\[0\] is inf: expected finite numbers \(8 such entries\)"),
        (0.0, np.zeros(8), r"x has shape \(\)"),
    ],
)
def test_bad_inputs_are_refused_with_their_place(x, state, message):
    with pytest.raises(ValueError, match=message):
        ls.Kernel(ls.LSTM).step(spoiled(), x, state)


def test_text_is_no_array():
    with pytest.raises(TypeError, match="x has dtype"):
        ls.Kernel(ls.LSTM).step(spoiled(), ["a", "b", "c"], np.zeros(8))
    with pytest.raises(TypeError, match="expected a dict"):
        ls.Kernel(ls.LSTM).step([1.0], np.zeros(3), np.zeros(8))


def test_an_absurd_number_of_steps_is_refused_before_any_memory_is_asked_for():
    with pytest.raises(ValueError, match=r"inputs = 1000000000000 steps: .* would take 81,956 GiB"):
        ls.run(ls.Kernel(ls.LSTM), spoiled(), 10**12)


def test_total_path_needs_a_trajectory():
    with pytest.raises(ValueError, match="gates of the step before"):
        ls.Kernel(ls.LSTM).jacobian(spoiled(), np.zeros(3), np.zeros(8), "c", "c", path="total")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"q": 1.0}, "unknown vector of LSTM 'q'"),
        ({"h": np.zeros((9, 4))}, r"shape \(9, 4\): expected \(5, 4\)"),
        ({"h": np.full((5, 4), np.nan)}, "is nan"),
    ],
)
def test_bad_losses_are_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        ls.Kernel(ls.LSTM).gradient(spoiled(), np.zeros((5, 3)), loss)


def test_bound_parameters_do_not_follow_later_changes():
    kernel, p = ls.Kernel(ls.LSTM), spoiled()
    bound = kernel.bind(p)
    before = kernel.step(bound, np.ones(3), np.ones(8))
    p["W_hf"][:] = 7.0
    assert np.array_equal(kernel.step(bound, np.ones(3), np.ones(8)), before)
    with pytest.raises(ValueError, match="read-only"):
        bound["W_hf"][0, 0] = 1.0


# --- PyTorch ----------------------------------------------------------------------------------------------------


def test_jacobian_and_gradient_equal_torch_autograd():
    torch = pytest.importorskip("torch")
    kernel, p, x, state, _ = setting(ls.LSTM)
    cell = torch.nn.LSTMCell(5, 16, dtype=torch.float64)
    with torch.no_grad():
        for ours, theirs in (("x", cell.weight_ih), ("h", cell.weight_hh)):
            theirs.copy_(torch.tensor(np.concatenate([p[f"W_{ours}{g}"] for g in "ifgo"])))
        cell.bias_ih.copy_(torch.tensor(np.concatenate([p[f"b_{g}"] for g in "ifgo"])))
        cell.bias_hh.zero_()

    def step(s):
        h, c = cell(torch.tensor(x)[None], (s[None, :16], s[None, 16:]))
        return torch.cat([h[0], c[0]])

    theirs = torch.autograd.functional.jacobian(step, torch.tensor(state)).numpy()
    assert np.abs(kernel.jacobian(p, x, state) - theirs).max() <= 5e-15


def test_the_least_factor_of_the_determinant_tells_ill_conditioned_steps():
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(6, 2, rng=0)
    rng = np.random.default_rng(1)
    x, state = rng.standard_normal((40, 3, 2)), rng.standard_normal((40, 3, 12))
    total, least = kernel.log_factors(p, x, state)
    np.testing.assert_array_equal(total, kernel.log_determinant(p, x, state))
    v = kernel.evaluate(p, x, state)
    factors = np.concatenate([np.log(v["f"]), np.log(np.abs(v["m"] * v["o"] * (1 - v["o"])))], axis=-1)
    assert least.shape == (40, 3)
    np.testing.assert_allclose(least, factors.min(axis=-1), rtol=0, atol=1e-12)
    condition = np.log(np.linalg.cond(kernel.jacobian(p, x, state)))
    assert np.corrcoef(condition.ravel(), least.ravel())[0, 1] < -0.5
    assert ls.Kernel(PROJECTION).log_factors is None


def test_a_loss_cannot_change_the_run():
    kernel = ls.Kernel(ls.RNN)
    p = kernel.parameters(3, 2, rng=0)

    def spoils(run):
        run["h"][...] = 0.0
        return 0.0, {}

    with pytest.raises(ValueError, match="read-only"):
        kernel.gradient(p, np.ones((4, 2)), spoils)
