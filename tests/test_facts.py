"""Facts with exactly or sharply known values, through the whole toolkit: cell, kernel, flow."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import lstm_sym as ls

RNN, LSTM = ls.Kernel(ls.RNN), ls.Kernel(ls.LSTM)


def log_sigmoid(b: float) -> float:
    return -float(np.logaddexp(0.0, -b))


def lstm(hidden=8, inputs=3, steps=60, seed=0, **options):
    rng = np.random.default_rng(seed)
    p = LSTM.parameters(hidden, inputs, rng=rng, **options)
    return p, ls.run(LSTM, p, rng.standard_normal((steps, inputs)))


def rnn(hidden=8, steps=60, seed=0, activation="tanh", **options):
    kernel = ls.Kernel(ls.RNN(activation=activation))
    rng = np.random.default_rng(seed)
    p = kernel.parameters(hidden, 3, rng=rng, **options)
    return p, ls.run(kernel, p, rng.standard_normal((steps, 3)))


def test_F1_F2_linear_rnn_exponents_are_the_eigenvalues_and_shift_with_the_gain():
    kernel = ls.Kernel(ls.RNN(activation="identity"))
    p = kernel.parameters(6, 1, rng=2, gain=0.9)
    initial = 1e-3 * np.ones(6)
    spectrum = ls.lyapunov_spectrum(ls.run(kernel, p, 20_000, initial), transient=100)
    eigenvalues = np.sort(np.log(np.abs(np.linalg.eigvals(p["W_hh"]))))[::-1]
    assert_allclose(spectrum, eigenvalues, rtol=0, atol=2e-3)
    assert_allclose(spectrum.sum(), np.linalg.slogdet(p["W_hh"])[1], rtol=0, atol=1e-10)
    short, scaled = (
        ls.lyapunov_spectrum(ls.run(kernel, {**p, "W_hh": a * p["W_hh"]}, 300, initial)) for a in (1.0, 0.5)
    )
    assert_allclose(scaled - short, np.log(0.5), rtol=0, atol=1e-12)


def test_F3_orthogonal_identity_rnn_keeps_every_singular_value_at_one():
    kernel = ls.Kernel(ls.RNN(activation="identity"))
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((64, 64)))[0]
    orbit = ls.run(kernel, kernel.parameters(64, 1, rng=0, W_hh=Q), 1000)
    assert_allclose(ls.singular_spectrum(orbit, "h", "h", [1, 10, 1000]), 0.0, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("activation", "gamma"), [("tanh", 1.0), ("sigmoid", 0.25)])
def test_F4_norm_bound_with_equality_at_zero(activation, gamma):
    p, orbit = rnn(activation=activation, gain=2.0)
    norm = np.log(np.linalg.norm(p["W_hh"], 2))
    assert ls.gradient_norms(orbit, "h", "h")[0] <= np.log(gamma) + norm
    kernel = orbit.system
    J = kernel.jacobian({**p, "b_h": np.zeros(8)}, np.zeros(3), np.zeros(8))
    assert_allclose(np.linalg.norm(J, 2), gamma * np.exp(norm), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("g", "point", "exponent"),
    [(2.0, 0.957504024077, -1.793528506537), (3.0, 0.994901528453, -3.489607502144), (0.5, 0.0, -np.log(2.0))],
)
def test_F5_one_unit_fixed_points(g, point, exponent):
    p = RNN.parameters(1, 1, rng=0, W_hh=g)
    orbit = ls.run(RNN, p, 400, initial=[0.5])
    spectrum = ls.lyapunov_spectrum(orbit, transient=200)
    assert_allclose(orbit.states[-1], point, rtol=0, atol=1e-11 if point else 1e-100)
    assert_allclose(spectrum, exponent, rtol=0, atol=1e-10)


@pytest.mark.parametrize("frame", ["default", "identity"])
def test_F7_rnn_exponents_sum_to_the_closed_form(frame):
    p, orbit = rnn(steps=80, gain=1.5)
    spectrum = ls.lyapunov_spectrum(orbit, frame=None if frame == "default" else np.eye(8))
    closed = np.linalg.slogdet(p["W_hh"])[1] + np.log1p(-(orbit["h"] ** 2)).sum(axis=1).mean()
    assert_allclose(spectrum.sum(), closed, rtol=0, atol=1e-8)
    assert spectrum.certificate.determinant_gap < 1e-8


def test_F8_lstm_log_determinant():
    p, orbit = lstm()
    f, c, o = orbit["f"], orbit["c"], orbit["o"]
    closed = np.log(f).sum(1) + np.linalg.slogdet(p["W_ho"])[1] + np.log(np.abs(np.tanh(c) * o * (1 - o))).sum(1)
    assert_allclose(LSTM.log_determinant(p, orbit.inputs, orbit.previous), closed, rtol=0, atol=1e-9)
    dense = np.linalg.slogdet(LSTM.jacobian(p, orbit.inputs, orbit.previous))[1]
    assert_allclose(dense, closed, rtol=0, atol=1e-9)
    assert_allclose(ls.lyapunov_spectrum(orbit).sum() * 60, closed.sum(), rtol=0, atol=1e-7)


def test_F11_subcritical_tanh_rnn_has_the_spectral_radius_for_exponent():
    n, g = 200, 0.8
    p = RNN.parameters(n, 1, rng=4, gain=g)
    orbit = ls.run(RNN, p, 3000, initial=1e-8 * np.ones(n))
    leading = ls.lyapunov_spectrum(orbit, k=8, transient=200)
    assert_allclose(leading[0], np.log(np.abs(np.linalg.eigvals(p["W_hh"])).max()), rtol=0, atol=2e-3)


def test_F17_permuting_and_reflecting_units_changes_no_spectrum():
    p, orbit = lstm()
    rng = np.random.default_rng(1)
    order, sign = rng.permutation(8), rng.choice([-1.0, 1.0], 8)
    # a sign flip of (h, c, g) unit by unit: rows of the candidate, columns of every recurrent weight
    q = {}
    for name, array in p.items():
        moved = array[order]
        if name.startswith("W_h"):
            moved = moved[:, order] * sign[order]
        if name.endswith("g"):
            moved = moved * (sign[order][:, None] if moved.ndim == 2 else sign[order])
        q[name] = moved
    other = ls.run(LSTM, q, orbit.inputs)
    for block in ("c", "h", "state"):
        ours, theirs = (ls.singular_spectrum(o, block, block, [1, 60]) for o in (orbit, other))
        assert_allclose(ours, theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("b_f", "time", "decades"),
    [
        (0.0, 1.4426950409, -0.30103),
        (1.0, 3.1922192845, -0.13605),
        (2.0, 7.8784816037, None),
        (3.0, 20.5814881365, -0.02110),
        (5.0, 148.9125994906, -0.0029164),
    ],
)
def test_F18_time_constant_of_the_direct_path(b_f, time, decades):
    p = LSTM.parameters(4, 2, rng=0, b_f=b_f, W_xf=0, W_hf=0)
    orbit = ls.run(LSTM, p, np.random.default_rng(1).standard_normal((1000, 2)))
    norms = ls.gradient_norms(orbit, "c", "c", path="direct")
    slope = (norms[-1] - norms[0]) / 999
    assert_allclose(-1 / slope, time, rtol=0, atol=1e-9 * max(1, time))
    assert_allclose(norms, log_sigmoid(b_f) * np.arange(1, 1001), rtol=1e-12, atol=0)
    if decades is not None:
        assert_allclose(slope / np.log(10), decades, rtol=0, atol=5e-6)


def test_F19_all_weights_zero():
    p = {name: np.zeros_like(array) for name, array in LSTM.parameters(5, 2).items()} | {"b_f": np.ones(5)}
    orbit = ls.run(LSTM, p, 100)
    for path in ("full", "direct", "total"):
        assert_allclose(ls.singular_spectrum(orbit, "c", "c", 100, path=path), -31.326168751822, rtol=0, atol=1e-10)
    assert np.all(np.isneginf(ls.gradient_norms(orbit, "c", "h")))
    assert np.all(np.isneginf(ls.singular_spectrum(orbit, "c", "h", [1, 100])))
    spectrum = ls.lyapunov_spectrum(orbit, transient=1)
    assert_allclose(spectrum[:5], log_sigmoid(1.0), rtol=0, atol=1e-12)
    assert np.all(np.isneginf(spectrum[5:]))
    assert spectrum.certificate.determinant_gap == 0.0


def test_F20_open_forget_gate_and_closed_input_gate_keep_the_cell():
    p = LSTM.parameters(6, 2, rng=0, b_f=40.0, b_i=-40.0)
    orbit = ls.run(LSTM, p, 0.1 * np.random.default_rng(0).standard_normal((1000, 2)))
    product = np.eye(12)
    for J in LSTM.jacobian(p, orbit.inputs, orbit.previous):
        product = J @ product
    assert np.abs(product[6:, 6:] - np.eye(6)).max() <= 1e-12
    assert_allclose(ls.singular_spectrum(orbit, "c", "c", 1000), 0.0, rtol=0, atol=1e-12)


def test_F25_full_minus_direct_is_the_path_through_h():
    p, orbit = lstm(hidden=4, steps=6)
    J = LSTM.jacobian(p, orbit.inputs, orbit.previous)
    product, direct, through_h = np.eye(8), np.ones(4), np.zeros((4, 4))
    for t in range(6):
        # what reaches c now through h: what came to h before, and all of it carried on by f
        through_h = orbit["f"][t][:, None] * through_h + J[t, 4:, :4] @ product[:4, 4:]
        product, direct = J[t] @ product, orbit["f"][t] * direct
    assert_allclose(product[4:, 4:] - np.diag(direct), through_h, rtol=0, atol=1e-13)
    logs = np.sort(np.log(direct))[::-1]
    assert_allclose(ls.singular_spectrum(orbit, "c", "c", 6, path="direct"), logs, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("decay", "variance", "sensitivity"), [(0.9, 5.263158, 263.886864), (0.5, 4 / 3, 80 / 27)])
def test_F29_second_moments_of_a_linear_unit_driven_by_noise(decay, variance, sensitivity):
    """h is linear in x, so its moments are sums over impulses: one batch of them, and a complex step in λ."""
    kernel = ls.Kernel(ls.RNN(activation="identity"))
    p = {"W_xh": np.ones((1, 1)), "W_hh": np.full((1, 1), decay + 1e-30j), "b_h": np.zeros(1)}
    last = kernel.unroll(p, np.eye(800)[:, :, None])[-1, :, 0]
    assert_allclose((last.real**2).sum(), 1 / (1 - decay**2), rtol=1e-12, atol=0)
    assert_allclose((last.imag**2).sum() / 1e-60, (1 + decay**2) / (1 - decay**2) ** 3, rtol=1e-12, atol=0)
    assert_allclose(
        [(last.real**2).sum(), (last.imag**2).sum() / 1e-60], [variance, sensitivity], rtol=1e-7, atol=0
    )


def test_F30_horn_on_an_lstm():
    _, orbit = lstm(steps=100, gain=2.0)
    singular = np.asarray(ls.singular_spectrum(orbit, "state", "state", 100))
    qr = np.asarray(ls.lyapunov_spectrum(orbit)) * 100
    slack = np.cumsum(singular) - np.cumsum(qr)
    assert slack.min() > -1e-9 * np.abs(np.cumsum(qr)).max()
    assert slack[:-1].max() > 1.0  # two different quantities, not one
    assert_allclose(singular.sum(), qr.sum(), rtol=1e-11, atol=0)


def test_F36_complex_step_is_the_jvp():
    p, orbit = lstm(hidden=16)
    rng = np.random.default_rng(5)
    v = rng.standard_normal(32)
    x, state = orbit.inputs[7], orbit.previous[7]
    exact = LSTM.step(p, x, state + 1e-30j * v).imag / 1e-30
    assert_allclose(LSTM.jvp(p, x, state, v), exact, rtol=0, atol=1e-14)


def test_adjoint_reversed_and_transposed_product_has_the_same_spectrum():
    p, orbit = lstm(steps=40)
    J = LSTM.jacobian(p, orbit.inputs, orbit.previous)
    expected = ls.singular_spectrum(orbit, "state", "state", 40)

    class Linear:
        def __init__(self, matrices):
            self.matrices = matrices

        def step(self, parameters, x, state):
            return 0 * state

        def jacobian(self, parameters, x, state):
            return self.matrices[x[..., 0].astype(int)]

    def spectrum(matrices):
        maps = ls.run(Linear(matrices), None, np.arange(40.0)[:, None], np.zeros(16))
        return np.asarray(ls.singular_spectrum(maps, "state", "state", 40))

    transposed = np.swapaxes(J, -1, -2)
    assert_allclose(spectrum(transposed[::-1]), expected, rtol=1e-9, atol=0)
    assert np.abs(spectrum(transposed) - expected).max() > 0.1  # pushed forward in time: another product


def test_direct_partial_and_total_differ_over_a_horizon_and_agree_with_plain_products():
    p, orbit = lstm(hidden=4, steps=12, gain=2.0)
    J = LSTM.jacobian(p, orbit.inputs, orbit.previous)
    for k in (1, 2, 5, 11):
        product = np.eye(8)
        for t in range(12 - k, 12):
            product = J[t] @ product
        m, o = orbit["m"][11 - k], orbit["o"][11 - k]
        total = product[4:, 4:] + product[4:, :4] @ np.diag(o * (1 - m**2))
        for path, matrix in (("full", product[4:, 4:]), ("total", total)):
            logs = np.log(np.linalg.svd(matrix, compute_uv=False))
            assert_allclose(ls.singular_spectrum(orbit, "c", "c", k, path=path), logs, rtol=0, atol=1e-9)
            assert_allclose(ls.gradient_norms(orbit, "c", "c", path=path)[k - 1], logs[0], rtol=0, atol=1e-12)
    norms = [ls.gradient_norms(orbit, "c", "c", path=path) for path in ("direct", "full", "total")]
    assert abs(norms[0][0] - norms[1][0]) < 0.5 < abs(norms[0][-1] - norms[1][-1])
    assert abs(norms[1][4] - norms[2][4]) > 1e-3
    assert norms[1][-1] == norms[2][-1]  # s_0 is given: c_0 does nothing to h_0


def test_ten_thousand_steps_do_not_underflow():
    p, orbit = rnn(hidden=4, steps=10_000, gain=0.2)
    norms = ls.gradient_norms(orbit, "h", "h")
    spectrum = ls.singular_spectrum(orbit, "h", "h", [10_000])
    assert norms[-1] < -10_000
    assert_allclose(spectrum[0, 0], norms[-1], rtol=1e-12, atol=0)
    closed = RNN.log_determinant(p, orbit.inputs, orbit.previous).sum()
    assert_allclose(spectrum.sum(), closed, rtol=1e-12, atol=0)


def test_batches_of_sequences_are_separate_runs():
    rng = np.random.default_rng(0)
    p = LSTM.parameters(5, 2, rng=0)
    inputs = rng.standard_normal((30, 3, 2))
    many = ls.run(LSTM, p, inputs)
    for b in range(3):
        one = ls.run(LSTM, p, inputs[:, b])
        assert_allclose(many.states[:, b], one.states, rtol=0, atol=1e-14)
        assert_allclose(ls.gradient_norms(many, "c", "h")[:, b], ls.gradient_norms(one, "c", "h"), atol=1e-11)
        for measure in (
            lambda orbit: ls.singular_spectrum(orbit, "c", "c", [1, 30], path="total"),
            lambda orbit: ls.singular_spectrum(orbit, "state", "state", [30])[..., :6],
            lambda orbit: ls.singular_spectrum(orbit, "c", "c", [7], path="direct"),
        ):
            assert_allclose(measure(many)[:, b], measure(one), rtol=0, atol=1e-9)
        assert_allclose(ls.lyapunov_spectrum(many, k=3)[b], ls.lyapunov_spectrum(one, k=3), rtol=0, atol=1e-12)


def test_dead_relu_units_and_a_zero_cell_are_structural_zeros():
    kernel = ls.Kernel(ls.RNN(activation="relu"))
    p = kernel.parameters(6, 1, rng=0, gain=0.1, W_xh=0, b_h=np.array([1.0, 1, 1, -9, -9, -9]))
    spectrum = ls.singular_spectrum(ls.run(kernel, p, 20), "h", "h", [1, 20])
    assert np.isfinite(spectrum[:, :3]).all()
    assert np.isneginf(spectrum[:, 3:]).all()
    zero = LSTM.parameters(4, 1, rng=0, W_xg=0, W_hg=0)  # c stays 0, so m = 0 and h' depends on h through c' alone
    exponents = ls.lyapunov_spectrum(ls.run(LSTM, zero, 50))
    assert np.isfinite(exponents[:4]).all()
    assert np.isneginf(exponents[4:]).all()
