"""Spectra of saturated LSTMs, where the rows of a dense Jacobian are nearly parallel."""

from __future__ import annotations

import flint
import numpy as np
import pytest
from flow_systems import exact_log_singular_values
from numpy.testing import assert_allclose

import lstm_sym as ls

KERNEL = ls.Kernel(ls.LSTM)


def test_the_two_factors_multiply_to_the_jacobian(cell):
    kernel = ls.Kernel(cell)
    p = kernel.parameters(5, 2, rng=0)
    x, state = np.random.default_rng(1).standard_normal((4, 2)), np.ones(kernel.state_size(p))
    factors = kernel.factors(p, x, state)
    if len(cell.states) == 1:
        assert factors is None
    else:
        R, L = factors
        assert_allclose(L @ R, kernel.jacobian(p, x, state), rtol=0, atol=1e-15)


def exact_jacobian(p, x, h, c):
    """The LSTM's state Jacobian in high precision, the doubles p, x, h, c taken as exact."""
    n = len(h)
    arb = flint.arb

    def sigmoid(a):
        return 1 / (1 + (-a).exp())

    def preactivation(gate, j):
        terms = [arb(float(w)) * arb(float(v)) for w, v in zip(p[f"W_x{gate}"][j], x, strict=True)]
        terms += [arb(float(w)) * arb(float(v)) for w, v in zip(p[f"W_h{gate}"][j], h, strict=True)]
        return sum(terms, arb(float(p[f"b_{gate}"][j])))

    rows = [[arb(0)] * (2 * n) for _ in range(2 * n)]
    for j in range(n):
        f, i, o = (sigmoid(preactivation(gate, j)) for gate in "fio")
        g, old = preactivation("g", j).tanh(), arb(float(c[j]))
        m = (f * old + i * g).tanh()
        for k in range(n):
            W = {gate: arb(float(p[f"W_h{gate}"][j, k])) for gate in "figo"}
            dc = old * f * (1 - f) * W["f"] + g * i * (1 - i) * W["i"] + i * (1 - g * g) * W["g"]
            rows[n + j][k] = dc
            rows[j][k] = m * o * (1 - o) * W["o"] + o * (1 - m * m) * dc
        rows[n + j][n + j] = f
        rows[j][n + j] = o * (1 - m * m) * f
    return rows


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("bias", [5.0, 10.0, 15.0, 20.0, 30.0, 40.0])
def test_saturated_spectra_against_high_precision_jacobians(bias, seed):
    rng = np.random.default_rng(seed)
    biases = {name: bias * rng.choice([-1.0, 1.0], 3) for name in ("b_f", "b_i", "b_o")}
    p = KERNEL.parameters(3, 1, rng=seed, **biases)
    orbit = ls.run(KERNEL, p, rng.standard_normal((20, 1)))
    before = orbit.previous
    with flint.ctx.workprec(12_000):
        exact = [exact_jacobian(p, orbit.inputs[t], before[t, :3], before[t, 3:]) for t in range(20)]
    spans = {"h": slice(0, 3), "c": slice(3, 6), "state": slice(0, 6)}
    for of, wrt in (("state", "state"), ("h", "h"), ("h", "c"), ("c", "h"), ("c", "c")):
        for lag in (1, 5, 20):
            truth = exact_log_singular_values(exact[20 - lag :], 12_000, spans[of], spans[wrt])
            assert_allclose(ls.singular_spectrum(orbit, of, wrt, lag), truth, rtol=0, atol=1e-9)


def test_a_cell_state_that_saturates_its_squashing():
    """b_f = 5 drives c to 97, so 1 − m² spans 1e-10 to 1e-84: what h forgets first, c carries on."""
    p = KERNEL.parameters(4, 2, rng=1, gain=1.5, b_f=5.0)
    orbit = ls.run(KERNEL, p, np.random.default_rng(2).standard_normal((1000, 2)))
    J = KERNEL.jacobian(p, orbit.inputs, orbit.previous)
    truth = exact_log_singular_values(J, 30_000, slice(0, 4), slice(0, 4))
    assert_allclose(ls.singular_spectrum(orbit, "h", "h", 1000), truth, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "options",
    [
        {"gain": 5.0, "b_f": 10.0},
        {"gain": 5.0, "b_f": -10.0},
        {"b_o": 20.0},
        {"b_f": 40.0, "b_i": -40.0, "b_o": 40.0},
    ],
    ids=str,
)
def test_saturated_spectra_sum_to_the_closed_form_over_1000_steps(options):
    p = KERNEL.parameters(8, 2, rng=0, **options)
    orbit = ls.run(KERNEL, p, np.random.default_rng(1).standard_normal((1000, 2)))
    assert ls.singular_spectrum(orbit, "state", "state", 1000).certificate.determinant_gap < 1e-8
    assert ls.lyapunov_spectrum(orbit).certificate.determinant_gap < 1e-8
