"""Gauge freedom: recognised, proved, and left out of the exponents."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_sym as ls

PLAIN = ls.SLSTM.replace(name="sLSTM, gauge not declared")
KERNEL = ls.Kernel(ls.SLSTM)
N = 4


def run(steps=400, **values):
    p = KERNEL.parameters(N, 3, rng=0, gain=1.5, **values)
    return ls.run(KERNEL, p, np.random.default_rng(1).standard_normal((steps, 3)))


class Invariant:
    """The same cell in coordinates that the gauge does not move: (h, c/n, m + log n)."""

    def __init__(self, parameters):
        self.parameters = parameters

    def step(self, p, x, state):
        h, ratio, log_n = np.split(state, 3, axis=-1)
        after = KERNEL.step(self.parameters, x, np.concatenate([h, ratio, np.ones_like(ratio), log_n], axis=-1))
        h, c, n, m = np.split(after, 4, axis=-1)
        return np.concatenate([h, c / n, m + np.log(n)], axis=-1)

    def jacobian(self, p, x, state):
        e = np.eye(3 * N)
        return np.stack([self.step(p, x, state + 1e-30j * v).imag / 1e-30 for v in e], axis=-1)


def test_moving_along_the_gauge_has_no_effect():
    orbit = run(5)
    for shift in (-2.0, 0.7):
        h, c, n, m = np.split(orbit.states[-1], 4)
        moved = np.concatenate([h, c * np.exp(-shift), n * np.exp(-shift), m + shift])
        x = np.array([0.1, -0.3, 2.0])
        here, there = (KERNEL.evaluate(orbit.parameters, x, s) for s in (orbit.states[-1], moved))
        assert np.allclose(here["h"], there["h"], rtol=0, atol=1e-14)
        assert np.allclose(here["c"] / here["n"], there["c"] / there["n"], rtol=0, atol=1e-14)


def test_the_jacobian_takes_gauge_directions_to_gauge_directions():
    orbit = run(30)
    before, after = orbit.states[10:20], orbit.states[11:21]
    J = KERNEL.jacobian(orbit.parameters, orbit.inputs[11:21], before)
    (old,), (new,) = (KERNEL.gauges(orbit.parameters, s) for s in (before, after))
    assert old.count == N
    assert old.states == ("c", "n", "m")
    for unit in range(N):
        v, w = np.zeros(before.shape), np.zeros(after.shape)
        for place, a, b in zip(old.places, old.vectors, new.vectors, strict=True):
            v[:, place.start + unit], w[:, place.start + unit] = a[:, unit], b[:, unit]
        image = np.einsum("tij,tj->ti", J, v)
        factor = image[:, old.places[-1].start + unit]
        assert np.isin(factor, [0.0, 1.0]).all()
        assert np.allclose(image, factor[:, None] * w, rtol=0, atol=1e-14)


def test_exponents_are_those_of_the_invariant_coordinates():
    orbit = run(20_000)
    ours = ls.lyapunov_spectrum(orbit, transient=200)
    assert ours.shape == (3 * N,)
    assert ours.gauge == N
    assert "4 gauge directions" in repr(ours)
    h, c, n, m = np.split(orbit.states, 4, axis=-1)
    states = np.concatenate([h, c / n, m + np.log(n)], axis=-1)
    jacobians = Invariant(orbit.parameters).jacobian(None, orbit.inputs[1:], states[:-1])
    theirs = ls.lyapunov_spectrum(jacobians, transient=199)
    assert np.abs(np.asarray(ours) - np.asarray(theirs)).max() <= 3e-4  # frames that differ, over 2e4 steps


def test_spurious_exponents_are_there_without_the_declaration_and_not_with_it():
    keep = {"b_f": 30.0, "b_i": -30.0}  # no stabiliser is ever overtaken: every gauge exponent is 0
    orbit = run(300, **keep)
    plain = ls.Kernel(PLAIN)
    raw = np.asarray(ls.lyapunov_spectrum(ls.run(plain, dict(orbit.parameters), orbit.inputs, np.ones(4 * N))))
    ours = np.asarray(ls.lyapunov_spectrum(ls.run(KERNEL, orbit.parameters, orbit.inputs, np.ones(4 * N))))
    assert (np.abs(raw) < 0.02).sum() == 3 * N  # c/n and log n, which are kept forever, and the gauge
    assert (np.abs(ours) < 0.02).sum() == 2 * N
    overtaken = run(300)
    assert np.isneginf(
        np.asarray(ls.lyapunov_spectrum(ls.run(plain, dict(overtaken.parameters), overtaken.inputs)))
    ).any()
    assert np.isfinite(np.asarray(ls.lyapunov_spectrum(overtaken))).all()


def test_both_routes_and_streams_agree():
    p = KERNEL.parameters(20, 3, rng=0)  # 80 states: the tangent action, not the Jacobians
    x = np.random.default_rng(2).standard_normal((200, 3))
    ours = np.asarray(ls.lyapunov_spectrum(ls.run(KERNEL, p, x), k=5))
    stream = np.asarray(ls.lyapunov_spectrum(ls.run(KERNEL, p, iter([x[:120], x[120:]])), k=5))
    assert np.abs(ours - stream).max() <= 1e-10
    assert ls.lyapunov_spectrum(ls.run(KERNEL, p, x)).shape == (60,)
    with pytest.raises(ValueError, match="S = 80 less its 20 gauge directions"):
        ls.lyapunov_spectrum(ls.run(KERNEL, p, x), k=61)


def test_layers_have_a_freedom_each():
    kernel = ls.Kernel(ls.stack(ls.SLSTM, ls.SLSTM))
    orbit = ls.run(kernel, kernel.parameters(3, 2, rng=0), np.random.default_rng(0).standard_normal((50, 2)))
    assert ls.lyapunov_spectrum(orbit).gauge == 6
    assert ls.lyapunov_spectrum(orbit).shape == (18,)


def test_a_gauge_is_declared_in_states_and_proved():
    wrong = ls.Cell("wrong", "h = tanh(W_hh @ h_prev + W_xh @ x)\nc = c_prev + h", states="h c", gauge={"h": "1"})
    with pytest.raises(ls.VerificationError, match="no gauge direction"):
        ls.verify(wrong, sizes=(2,))
    with pytest.raises(ls.CellError, match="does not keep these directions"):
        ls.Kernel(wrong)
    for bad in ("h", [3]):
        with pytest.raises(TypeError, match="expected a dict from states to texts"):
            ls.Cell("w", "h = tanh(W_hh @ h_prev + W_xh @ x)", states="h", gauge=bad)
    with pytest.raises(ls.CellError, match="expected a state"):
        ls.Cell("w", "h = tanh(W_hh @ h_prev + W_xh @ x)", states="h", gauge={"q": "1"})
    with pytest.raises(ls.CellError, match="not defined"):
        ls.Cell("w", "h = tanh(W_hh @ h_prev + W_xh @ x)", states="h", gauge={"h": "q"})
    assert "gauge" in str(ls.verify(ls.SLSTM, sizes=(2,)))


def test_where_no_unit_acts_on_another_exponents_are_exact_means():
    x = np.random.default_rng(2).standard_normal((300, 3))
    kernel = ls.Kernel(ls.MinLSTM)
    orbit = ls.run(kernel, kernel.parameters(5, 3, rng=1), x)
    exact = np.sort(np.log(orbit["f"] / (orbit["f"] + orbit["i"])).mean(axis=0))[::-1]
    assert kernel.units_apart
    assert np.abs(np.asarray(ls.lyapunov_spectrum(orbit)) - exact).max() <= 1e-13
    assert np.abs(np.asarray(ls.lyapunov_spectrum(orbit, k=2)) - exact[:2]).max() <= 1e-13
