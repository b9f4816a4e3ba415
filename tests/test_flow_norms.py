"""Gradient norms at every lag."""

from __future__ import annotations

import numpy as np
import pytest
from flow_systems import product

import lstm_sym.flow as flow
from lstm_sym.flow.norms import spectral_norm


@pytest.mark.parametrize(("of", "wrt"), [("state", "state"), ("h", "c"), ("c", "state"), ("c", "c")])
def test_every_lag_is_the_norm_of_the_block_of_the_product(of: str, wrt: str) -> None:
    A = np.random.default_rng(0).standard_normal((30, 5, 5))
    blocks = {"h": slice(0, 1), "c": slice(1, 5)}
    found = flow.gradient_norms(product(A, blocks), of, wrt)
    spans, P = {"state": slice(0, 5), **blocks}, np.eye(5)
    for k in range(1, 31):
        P = P @ A[30 - k]
        assert found[k - 1] == pytest.approx(np.log(np.linalg.norm(P[spans[of], spans[wrt]], 2)), abs=1e-12)


@pytest.mark.parametrize("gain", [0.01, 100.0])
def test_ten_thousand_steps_neither_underflow_nor_overflow(gain: float) -> None:
    W = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    run = product(np.tile(gain * W, (10_000, 1, 1)))
    found = flow.gradient_norms(run, "state", "state")
    np.testing.assert_allclose(found, np.log(gain) * np.arange(1, 10_001), rtol=1e-13)
    spectrum = flow.singular_spectrum(run, "state", "state", 10_000)
    np.testing.assert_allclose(spectrum, 10_000 * np.log(gain), rtol=1e-13)


def test_it_is_the_leading_singular_value_at_any_lag() -> None:
    A = 0.3 * np.random.default_rng(2).standard_normal((2000, 8, 8))
    run = product(A, {"h": slice(0, 3), "c": slice(3, 8)})
    for of, wrt in [("state", "state"), ("h", "c"), ("c", "h")]:
        norms = flow.gradient_norms(run, of, wrt)
        lags = [1, 2, 10, 700, 2000]
        leading = flow.singular_spectrum(run, of, wrt, lags)[:, 0]
        np.testing.assert_allclose(norms[np.array(lags) - 1], leading, rtol=0, atol=1e-10)


def test_exact_zeros_are_minus_infinity_from_then_on() -> None:
    A = np.tile(0.5 * np.eye(3), (20, 1, 1))
    A[10] = 0.0
    found = flow.gradient_norms(product(A), "state", "state")
    np.testing.assert_allclose(found[:9], np.log(0.5) * np.arange(1, 10), rtol=1e-14)
    assert np.isneginf(found[9:]).all()
    assert np.isneginf(flow.singular_spectrum(product(A), "state", "state", [10, 20])).all()


def test_units_that_fade_and_revive_are_not_lost() -> None:
    """One unit falls by e^−2000 and rises again, the other the reverse: plain rescaling loses both."""
    fall, rise = np.full(1000, np.exp(-2.0)), np.full(1000, np.exp(2.0))
    A = np.zeros((2000, 2, 2))
    A[:, 0, 0], A[:, 1, 1] = np.concatenate([fall, rise]), np.concatenate([rise, fall]) / np.exp(0.001)
    run = product(A, {"a": slice(0, 1), "b": slice(1, 2)})
    assert flow.gradient_norms(run, "a", "a")[-1] == pytest.approx(0, abs=1e-11)
    assert flow.gradient_norms(run, "b", "b")[-1] == pytest.approx(-2, abs=1e-11)
    assert flow.gradient_norms(run, "state", "state")[-1] == pytest.approx(0, abs=1e-11)
    assert flow.gradient_norms(run, "state", "b")[-1] == pytest.approx(-2, abs=1e-11)
    np.testing.assert_allclose(flow.singular_spectrum(run, "state", "state", 2000), [0, -2], atol=1e-11)


def test_factors_at_the_ends_of_the_floating_range() -> None:
    tiny, huge = np.diag([1e-300, 1e-305]), np.diag([1e300, 1e305])
    run = product(np.array([tiny, tiny, tiny, huge, huge, huge]))
    with np.errstate(all="raise", under="warn"):
        norms = flow.gradient_norms(run, "state", "state")
        spectrum = flow.singular_spectrum(run, "state", "state", [3, 6])
        exponents = flow.lyapunov_spectrum(run)
    ten = np.log(10)
    np.testing.assert_allclose(norms, [305 * ten, 610 * ten, 915 * ten, 610 * ten, 305 * ten, 0], atol=1e-9)
    np.testing.assert_allclose(spectrum, [[915 * ten, 900 * ten], [0, 0]], atol=1e-9)
    assert exponents.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shape", [(3, 1, 4), (3, 4, 1), (2, 3, 5), (2, 5, 3), (4, 4)])
def test_spectral_norm(shape: tuple[int, ...]) -> None:
    blocks = np.random.default_rng(3).standard_normal(shape)
    np.testing.assert_allclose(spectral_norm(blocks), np.linalg.svd(blocks)[1][..., 0], rtol=1e-13)


@pytest.mark.parametrize("anchor", ["end", "start"])
def test_a_column_that_underflows_is_not_an_exact_zero(anchor: str) -> None:
    J = np.array([[[1, 0], [0, 1e-270]], [[1, 1e-59], [0, 1]]])
    if anchor == "start":
        J = J[::-1].swapaxes(-1, -2)
    run = product(J, {"a": slice(0, 1), "b": slice(1, 2)})
    of, wrt = ("a", "b") if anchor == "end" else ("b", "a")
    found = flow.gradient_norms(run, of, wrt, anchor=anchor)
    np.testing.assert_allclose(found, np.log(10) * np.array([-59, -329]), rtol=1e-14)


def test_dead_units_are_zeros_and_the_rest_goes_on() -> None:
    rng = np.random.default_rng(4)
    A = rng.standard_normal((60, 5, 5)) * (rng.uniform(size=(60, 5, 1)) > 0.2)
    for anchor in ("end", "start"):
        found, P = flow.gradient_norms(A, "state", "state", anchor=anchor), np.eye(5)
        for k in range(60):
            P = P @ A[59 - k] if anchor == "end" else A[k] @ P
            with np.errstate(divide="ignore"):
                np.testing.assert_allclose(found[k], np.log(np.linalg.norm(P, 2)), rtol=1e-12)


def test_the_leading_direction_may_change_on_the_way() -> None:
    A = np.concatenate([np.tile(np.diag([1.0, 4.0]), (40, 1, 1)), np.tile(np.diag([2.0, 1.0]), (60, 1, 1))])
    k = np.arange(1, 101)
    expected = np.maximum(np.minimum(k, 60) * np.log(2), np.maximum(k - 60, 0) * np.log(4))
    np.testing.assert_allclose(flow.gradient_norms(A, "state", "state"), expected, rtol=0, atol=1e-13)
