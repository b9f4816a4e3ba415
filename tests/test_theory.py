"""Theory of random networks against high precision, closed forms, expansions, and random matrices."""

from __future__ import annotations

import doctest
import importlib

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import erf, ndtri

import lstm_sym as ls
from lstm_sym.theory import forgetting, gaussian, ginibre
from lstm_sym.theory.edge import log_radius
from lstm_sym.theory.finite import correction
from lstm_sym.theory.meanfield import IDENTITY, TANH, Activation, MeanField, critical_gain

ERF = Activation(
    lambda u: erf(np.sqrt(np.pi) / 2 * u),
    lambda u: -np.pi / 4 * u**2,
)


def by_mpmath(function, variance):
    """E f(√q z) of an even f to 25 digits: split where f bends and where the Gaussian does."""
    root = mp.sqrt(variance)
    ends = sorted(
        {mp.mpf(0), *(mp.mpf(k) / root for k in (0.5, 1, 2, 4, 8, 16, 32)), *map(mp.mpf, (1, 2, 4, 8, 14))}
    )
    with mp.workdps(25):
        return 2 * mp.quad(lambda z: function(root * z) * mp.npdf(z), [end for end in ends if end <= 14])


# --- means over a Gaussian --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variance", [1e-10, 1e-3, 0.3, 1.0, 30.0, 1e4, 1e8, 1e16])
def test_means_agree_with_high_precision_at_any_variance(variance):
    pairs = [
        (lambda u: np.tanh(u) ** 2, lambda u: mp.tanh(u) ** 2),
        (lambda u: np.exp(2 * TANH.log_slope(u)), lambda u: mp.sech(u) ** 4),
        (lambda u: np.exp(4 * TANH.log_slope(u)), lambda u: mp.sech(u) ** 8),
        (lambda u: np.exp(ERF.log_slope(u)), lambda u: mp.exp(-mp.pi / 4 * u**2)),
    ]
    for ours, theirs in pairs:
        exact = float(by_mpmath(theirs, mp.mpf(variance)))
        assert_allclose(gaussian.mean(ours, variance), exact, rtol=2e-15, atol=0)
    log_slope = float(by_mpmath(lambda u: -2 * mp.log(mp.cosh(u)), mp.mpf(variance)))
    assert_allclose(gaussian.mean(TANH.log_slope, variance), log_slope, rtol=1e-14, atol=1e-16)


def test_moments_of_the_nodes_are_those_of_a_gaussian():
    for variance in (1e-6, 1.0, 1e6):
        u, weights = gaussian.nodes(variance)
        moments = [weights @ u**k / variance ** (k / 2) for k in range(9)]
        assert_allclose(moments, [1, 0, 1, 0, 3, 0, 15, 0, 105], rtol=1e-14, atol=1e-12)


# --- mean field -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1e-3, 0.5, 0.999, 1.0])
def test_without_noise_up_to_gain_1_activity_dies_and_the_exponent_is_log_g(gain):
    theory = MeanField(gain)
    assert theory.variance == 0.0
    assert theory.exponent == pytest.approx(np.log(gain), abs=2e-16)
    shares = np.array([0.0, 0.3, 0.9, 0.999])
    assert_allclose(theory.spectrum(shares), ginibre.limit(shares, gain), atol=1e-12)
    assert_allclose(theory.mean_exponent, np.log(gain) - 0.5, atol=1e-15)


@pytest.mark.parametrize(
    ("gain", "noise"), [(1.5, 0.0), (3.0, 0.0), (100.0, 0.0), (0.5, 2.0), (2.0, 1e-3), (20.0, 1e6)]
)
def test_variance_and_exponent_solve_the_equations_in_high_precision(gain, noise):
    theory = MeanField(gain, noise)
    q = mp.mpf(theory.variance)
    again = mp.mpf(gain) ** 2 * by_mpmath(lambda u: mp.tanh(u) ** 2, q) + mp.mpf(noise) ** 2
    assert abs(again / q - 1) < 1e-13
    exponent = mp.log(gain) + mp.log(by_mpmath(lambda u: mp.sech(u) ** 4, q)) / 2
    assert abs(theory.exponent - exponent) < 1e-12


def test_just_beyond_the_transition_the_exponent_is_two_thirds_of_the_distance_squared():
    """q = ε + ⅔·2 ε² + …, λ = ⅔ ε² + …: the next terms, from two distances, vanish with ε."""
    for epsilon in (1e-3, 1e-4):
        theory = MeanField(1 + epsilon)
        assert_allclose((theory.variance / epsilon - 1) / epsilon, 4 / 3, atol=2 * epsilon)
        assert_allclose(theory.exponent / epsilon**2, 2 / 3, atol=3 * epsilon)


def test_at_large_gain_the_exponent_is_half_log_g_and_a_constant():
    """tanh is a step but for a share 1/g of units: E sech⁴ = (4/3)/√(2πq)."""
    for gain in (1e3, 1e5):
        asymptote = 0.5 * np.log(gain) + 0.5 * np.log(4 / (3 * np.sqrt(2 * np.pi)))
        first = np.sqrt(2 / np.pi) / gain / 4 * 1.0  # q = g²(1 − √(2/π)·2/(2g)·…): q falls below g², λ rises
        assert_allclose(MeanField(gain).exponent, asymptote, atol=2 * first)
        assert MeanField(gain).exponent > asymptote
    assert MeanField(1e3).spectrum(0.5) < -50


def test_erf_has_closed_forms():
    """φ = erf(√π u/2): E φ² = (2/π) asin(p/(1 + p)), E φ'² = 1/√(1 + 2p), p = πq/2."""
    for gain, noise in ((2.0, 0.0), (1.5, 0.7), (30.0, 3.0)):
        theory = MeanField(gain, noise, ERF)
        p = np.pi / 2 * theory.variance
        assert_allclose(gain**2 * 2 / np.pi * np.arcsin(p / (1 + p)) + noise**2, theory.variance, rtol=1e-13)
        assert_allclose(theory.exponent, np.log(gain) - 0.25 * np.log1p(2 * p), atol=1e-13)
        assert_allclose(theory.mean_exponent, np.log(gain) - 0.5 - np.pi / 4 * theory.variance, atol=1e-11)


def test_a_linear_network_has_the_variance_of_an_autoregression_and_the_circular_law():
    theory = MeanField(0.9, 1.0, IDENTITY)
    assert_allclose(theory.variance, 1 / (1 - 0.9**2), rtol=1e-14)
    assert_allclose(theory.spectrum([0.2, 0.7]), ginibre.limit([0.2, 0.7], 0.9), atol=1e-12)
    for gain, noise in ((1.0, 1.0), (1.0, 1e-6), (1.5, 1.0), (1.0 + 1e-15, 0.0)):
        with pytest.raises(ValueError, match=f"gain = {gain}: the variance grows without bound"):
            _ = MeanField(gain, noise, IDENTITY).variance
    assert MeanField(1.0, 0.0, IDENTITY).variance == 0.0
    assert_allclose(MeanField(1 - 1e-6, 1.0, IDENTITY).variance, 1 / (1 - (1 - 1e-6) ** 2), rtol=1e-9)


def test_gains_and_noise_as_far_as_they_go():
    """All units saturated: q = g² + σ², E sech⁴ = (4/3)/√(2πq)."""
    for gain, noise in ((1e50, 0.0), (1e50, 1e50), (1e-300, 1e50), (0.5, 1e50)):
        theory, q = MeanField(gain, noise), gain**2 + noise**2
        assert_allclose(theory.variance, q, rtol=1e-13)
        assert_allclose(theory.exponent, np.log(gain) + 0.5 * np.log(4 / (3 * np.sqrt(2 * np.pi * q))), rtol=1e-13)
    for name, wrong in (("gain", (1e100, 0.0)), ("gain", (1e200, 1.0)), ("noise", (1.0, 1e160))):
        with pytest.raises(ValueError, match=rf"{name} = 1e\+\d+: expected .* up to 1e\+50"):
            MeanField(*wrong)


@pytest.mark.parametrize(("gain", "noise"), [(1.2, 0.0), (3.0, 0.0), (2.0, 2.0), (15.0, 0.5)])
def test_the_spectrum_begins_at_the_leading_exponent_falls_and_has_the_mean_of_log_det(gain, noise):
    theory = MeanField(gain, noise)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    t = 0.5 * (nodes + 1)
    spectrum = theory.spectrum(1 - t**4)  # dense where λ(s) falls steeply
    assert (np.diff(spectrum) > 0).all()
    assert_allclose(0.5 * weights @ (4 * t**3 * spectrum), theory.mean_exponent, rtol=1e-8)
    assert_allclose(theory.spectrum(0.0), theory.exponent, atol=1e-12)
    assert theory.spectrum(1.0) == -np.inf


def test_the_spectrum_is_that_of_a_new_matrix_times_slopes_at_every_step():
    """Exponents of products of g W D, D of the theory's slopes in random order, one of each quantile."""
    rng, gain, size, steps = np.random.default_rng(0), 2.0, 160, 80
    theory = MeanField(gain)
    shares = (np.arange(size) + 0.5) / size
    slopes = np.exp(TANH.log_slope(np.sqrt(theory.variance) * ndtri(shares)))
    frame, logs = np.linalg.qr(rng.standard_normal((size, size)))[0], np.zeros(size)
    for _ in range(steps):
        frame = rng.permutation(slopes)[:, None] * frame
        frame, upper = np.linalg.qr(gain / np.sqrt(size) * rng.standard_normal((size, size)) @ frame)
        logs += np.log(np.abs(np.diag(upper))) / steps
    off = (logs - theory.spectrum(shares)).reshape(16, 10).mean(axis=1)  # neighbours averaged
    assert np.abs(off[:14]).max() < 0.03
    circular = logs - ginibre.limit(shares, np.exp(theory.exponent))
    assert np.abs(circular[: size // 2]).max() > 0.4


def test_the_critical_gain_is_the_zero_of_the_exponent_and_rises_with_the_noise():
    assert critical_gain(0.0) == 1.0
    found = [critical_gain(noise) for noise in (1e-3, 0.1, 0.5, 1.0, 3.0, 30.0)]
    assert (np.diff([1.0, *found]) > 0).all()
    for noise, gain in zip((1e-3, 0.1, 0.5, 1.0, 3.0, 30.0), found, strict=True):
        assert abs(MeanField(gain, noise).exponent) < 1e-12
        assert MeanField(0.99 * gain, noise).exponent < 0 < MeanField(1.01 * gain, noise).exponent
    # strong noise: q = σ² and g² (4/3)/√(2πσ²) = 1
    assert_allclose(critical_gain(1e6), np.sqrt(0.75 * np.sqrt(2 * np.pi) * 1e6), rtol=1e-3)


@pytest.mark.parametrize(("gain", "noise"), [(0.0, 0.0), (-1.0, 0.0), (np.nan, 0.0), (1.0, -0.1), (1.0, np.inf)])
def test_bad_numbers_are_refused(gain, noise):
    with pytest.raises(ValueError, match=r"gain|noise"):
        MeanField(gain, noise)


def test_activations_that_the_theory_does_not_cover_are_refused():
    with pytest.raises(ValueError, match="not odd"):
        Activation(lambda u: np.maximum(u, 0), np.zeros_like)
    with pytest.raises(ValueError, match="rises"):
        Activation(np.sinh, lambda u: np.log(np.cosh(u)))
    with pytest.raises(ValueError, match="from 0 to 1"):
        MeanField(1.0).spectrum([0.5, 1.1])


# --- a finite size ----------------------------------------------------------------------------------------------


def annealed(gain, noise, size, steps, seed):
    """The leading exponent where weights are drawn anew at every step, and its standard error over blocks."""
    rng = np.random.default_rng(seed)
    h, v, logs = rng.standard_normal(size), rng.standard_normal(size), np.empty(steps)
    for step in range(steps):
        pushed = gain / np.sqrt(size) * (rng.standard_normal((size, size)) @ np.stack([h, v], axis=1))
        h = np.tanh(pushed[:, 0] + noise * rng.standard_normal(size))
        v = (1 - h**2) * pushed[:, 1]
        length = np.linalg.norm(v)
        logs[step], v = np.log(length), v / length
    blocks = logs[100:].reshape(-1, 100).mean(axis=1)
    return blocks.mean(), blocks.std(ddof=1) / np.sqrt(len(blocks))


@pytest.mark.parametrize(("gain", "noise"), [(2.0, 0.0), (3.5, 2.0)])
def test_the_correction_is_that_of_networks_with_new_weights_at_every_step(gain, noise):
    size, theory = 40, MeanField(gain, noise)
    measured, error = annealed(gain, noise, size, 20_100, 1)
    expected = theory.exponent + correction(theory) / size
    assert error < 0.1 * abs(correction(theory)) / size
    assert abs(measured - expected) < 4.5 * error + abs(correction(theory)) / size**1.5


def test_the_correction_of_a_linear_network_is_that_of_gaussian_products():
    """½[ψ(N/2) − log(N/2)] = −1/(2N) − …"""
    assert_allclose(correction(MeanField(0.5, 1.0, IDENTITY)), -0.5, atol=1e-8)
    assert_allclose(ginibre.exponents(10_000)[0] * 10_000, -0.5, atol=1e-3)
    with pytest.raises(ValueError, match="dies away"):
        correction(MeanField(0.9))


def test_the_correction_tends_to_that_of_a_linear_network_at_the_onset_of_activity_and_is_refused_at_it():
    for above in (1e-3, 1e-4, 1e-5):
        assert_allclose(correction(MeanField(1 + above)), -0.5, atol=1e-6 + 11 * above**2)
    assert_allclose(correction(MeanField(1 + 6e-7)), -0.5, atol=2e-4)
    for theory in (MeanField(1 + 4e-7), MeanField(1 + 1e-9), MeanField(1 + 1e-13), MeanField(1.0, 1e-8)):
        with pytest.raises(ValueError, match="too near the onset of activity, expected"):
            correction(theory)


@pytest.mark.parametrize("size", [32, 64])
def test_the_spectral_radius_is_where_the_density_of_eigenvalues_says(size):
    """The eigenvalues at the edge repel each other: the mean is a few thousandths above independent ones."""
    rng, count = np.random.default_rng(1), 120
    logs = [
        np.log(np.abs(np.linalg.eigvals(rng.standard_normal((size, size)) / np.sqrt(size))).max())
        for _ in range(count)
    ]
    mean, deviation = log_radius(size)
    assert abs(np.mean(logs) - mean) < 4 * deviation / np.sqrt(count) + 0.004
    assert_allclose(np.std(logs), deviation, rtol=0.25)


def test_the_edge_comes_closer_as_the_size_grows():
    means = [log_radius(size)[0] for size in (100, 300, 1000)]
    assert means == sorted(means, reverse=True)
    assert 0.02 < means[-1] < 0.03


# --- products of Gaussian matrices ------------------------------------------------------------------------------


def test_ginibre_exponents_agree_with_products_of_gaussian_matrices():
    rng, size, steps = np.random.default_rng(3), 12, 4000
    frame, logs = np.eye(size), np.zeros(size)
    for _ in range(steps):
        frame, upper = np.linalg.qr(1.7 / np.sqrt(size) * rng.standard_normal((size, size)) @ frame)
        logs += np.log(np.abs(np.diag(upper)))
    off = logs / steps - ginibre.exponents(size, 1.7)
    deviations = ginibre.deviations(size, steps)
    assert np.abs(off / deviations).max() < 4.5
    assert 0.3 < np.std(off / deviations) < 2


def test_ginibre_closed_forms():
    assert_allclose(ginibre.exponents(1), [0.5 * (np.log(2) - np.euler_gamma - 2 * np.log(2))], atol=1e-15)
    assert_allclose(ginibre.deviations(1, 50), [np.sqrt(np.pi**2 / 2 / 200)], rtol=1e-14)
    assert_allclose(ginibre.moment_rate(7, 2.0, 1.3), np.log(1.3), atol=1e-15)
    assert_allclose(np.exp(4 * ginibre.moment_rate(7, 4.0)), 9 / 7, rtol=1e-13)  # E (χ²_N/N)² = 1 + 2/N
    assert ginibre.moment_rate(7, 1.0) > ginibre.exponents(7)[0]
    assert_allclose(ginibre.mean_log_determinant(1), ginibre.exponents(1)[0], atol=1e-15)
    exponents = ginibre.exponents(2000)
    assert_allclose(exponents[:1990], ginibre.limit(np.arange(1, 1991) / 2000), atol=2e-3)


@pytest.mark.parametrize("size", [1, 2, 8, 1000, 10**6])
def test_moment_rates_agree_with_high_precision_at_any_moment(size):
    """From the typical norm's, p → 0, to moments where a few products carry all."""
    shares = [-0.999, -0.51, -0.5, 0.5, 0.51, 3.0, 100.0]
    for p in [1e-300, 1e-15, 1e-12, -1e-12, 1e-9, 1e-4, 0.01, 0.3, -0.3, *(size * share for share in shares)]:
        with mp.workdps(350):
            n, moment = mp.mpf(size), mp.mpf(p)
            exact = mp.log(2 / n) / 2 + (mp.loggamma((n + moment) / 2) - mp.loggamma(n / 2)) / moment
        assert_allclose(ginibre.moment_rate(size, p), float(exact), rtol=3e-15, atol=5e-15)
    assert_allclose(ginibre.moment_rate(size, 1e-300), ginibre.exponents(size)[0], rtol=1e-15, atol=2e-15)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ginibre.exponents(0),
        lambda: ginibre.exponents(4, 0.0),
        lambda: ginibre.deviations(4, 0),
        lambda: ginibre.moment_rate(4, 0.0),
        lambda: ginibre.moment_rate(4, -4.0),
        lambda: ginibre.limit([-0.1]),
        lambda: ginibre.limit(np.nan),
    ],
)
def test_ginibre_refuses_what_has_no_meaning(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def test_time_constants_to_the_ends_of_doubles():
    biases = np.array([-700.0, -50, 0, 36, 700, 720, 1000])
    constants = forgetting.time_constant(biases)
    assert_allclose(constants[:5], [1 / 700, 1 / 50, 1 / np.log(2), np.exp(36), np.exp(700)], rtol=1e-12)
    assert np.isposinf(constants[5:]).all()
    assert_allclose(forgetting.forget_bias(constants[:5])[1:], biases[1:5], rtol=1e-12, atol=1e-15)
    assert forgetting.forget_bias(np.inf) == np.inf
    for wrong in (0.0, -1.0, [3.0, np.nan]):
        with pytest.raises(ValueError, match="expected positive"):
            forgetting.forget_bias(wrong)


@pytest.mark.parametrize("name", ["edge", "finite", "gaussian", "ginibre", "meanfield"])
def test_examples_run(name):
    failed, tried = doctest.testmod(importlib.import_module(f"lstm_sym.theory.{name}"))
    assert failed == 0 < tried


def test_theory_is_reached_by_name_and_a_slip_is_answered():
    assert {"meanfield", "ginibre", "finite"} <= set(dir(ls.theory))
    assert ls.theory.meanfield.MeanField is MeanField
    with pytest.raises(AttributeError, match="Did you mean 'meanfield'"):
        ls.theory.meanfeld  # noqa: B018
