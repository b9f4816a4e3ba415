"""Lyapunov spectra, edge of chaos, input against chaos: what they print, draw and claim."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from lstm_sym.analyses import input_against_chaos
from numpy.testing import assert_allclose, assert_array_equal

import lstm_sym as ls
from lstm_sym import figures
from lstm_sym.figures import plot_lyapunov_spectra
from lstm_sym.figures.spectra import shares
from lstm_sym.theory.finite import correction
from lstm_sym.theory.meanfield import MeanField, critical_gain

SCRIPTS = {"lyapunov_spectra": 10, "edge_of_chaos": 20, "input_against_chaos": 5}

# --- the scripts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_landmarks_are_within_their_stated_errors(quick, name):
    rows = quick(name).landmarks()
    assert len(rows) >= SCRIPTS[name]
    for row in rows:
        assert row["error"] is not None, row["what"]
        assert abs(row["difference"]) <= 4.5 * row["error"], row


def test_sums_of_exponents_are_the_closed_form_and_curves_fall(quick):
    run = quick("lyapunov_spectra")
    (row,) = run.landmarks("sum of exponents")
    assert 0 <= row["computed"] < 1e-8
    (row,) = run.landmarks("g = 0.7: λ_i less log|eigenvalue|")
    assert 0 < row["computed"] < row["error"] < 2e-3
    largest = run.arrays[f"N = {run.record['parameters']['hidden']}"]
    gains, seeds = run.record["parameters"]["gains"], run.record["parameters"]["seeds"]
    assert largest.shape == (len(gains), seeds, run.record["parameters"]["hidden"])
    assert (np.diff(largest, axis=-1) <= 1e-12).all()


def test_spectra_of_the_largest_size_are_near_theory_and_each_gain_has_its_own(quick):
    """The median over the left three quarters: within 0.1 of its own curve, 0.1 away from any other gain's."""
    run = quick("lyapunov_spectra")
    size, gains = run.record["parameters"]["hidden"], run.record["parameters"]["gains"]
    part = slice(0, 3 * size // 4)
    for row, gain in enumerate(gains):
        measured = run.arrays[f"N = {size}"][row].mean(axis=0)[part]
        off = {g: np.median(np.abs(measured - MeanField(g).spectrum(shares(size)[part]))) for g in gains}
        assert off[gain] < 0.1
        assert min(off[g] for g in gains if g != gain) > off[gain]


def test_a_few_directions_grow_in_chaos_and_none_below(quick):
    run = quick("lyapunov_spectra")
    size, gains = run.record["parameters"]["hidden"], run.record["parameters"]["gains"]
    growing = (run.arrays[f"N = {size}"] > 0).mean(axis=(1, 2))
    assert growing[gains.index(0.7)] == 0
    assert 0.05 < growing[gains.index(3.0)] < 0.2


def test_mean_field_holds_within_two_hundredths_at_300_units(quick):
    run = quick("edge_of_chaos")
    assert run.record["parameters"]["hidden"] == 300
    rows = [row for row in run.landmarks("N = 300") if row["what"].endswith("leading exponent")]
    assert len(rows) == 13  # at every gain from 1 on
    assert max(abs(row["difference"]) for row in rows) < 0.02
    assert [row["theory"] for row in rows] == sorted(row["theory"] for row in rows)


def test_below_the_transition_every_network_has_log_of_its_own_radius(quick):
    run = quick("edge_of_chaos")
    (row,) = run.landmarks("N = 300, g < 1: λ beside")
    assert abs(row["difference"]) < row["error"] < 2e-4
    gains = run.arrays["gains"]
    below = run.arrays["N = 300"][:, gains < 0.85] - np.log(gains[gains < 0.85])
    assert np.ptp(below, axis=1).max() < 1e-3  # the same network, the same radius
    assert np.ptp(below, axis=0).min() > 1e-3


def test_finite_networks_are_below_mean_field_the_more_so_the_smaller(quick):
    arrays = quick("edge_of_chaos").arrays
    chaotic = arrays["gains"] >= 2.5
    off = {size: (arrays[f"N = {size}"].mean(axis=0) - arrays["mean field"])[chaotic] for size in (100, 300)}
    assert off[100].mean() < off[300].mean() < 0
    expected = np.mean([correction(MeanField(gain)) for gain in arrays["gains"][chaotic]])
    assert_allclose([100 * off[100].mean(), 300 * off[300].mean()], expected, rtol=0.4)


def test_input_suppresses_chaos_and_the_measured_contour_is_near_theory(quick):
    run = quick("input_against_chaos")
    exponents, expected = run.arrays["exponents"].mean(axis=-1), run.arrays["mean field"]
    assert exponents.shape == expected.shape
    chaotic = exponents[:, 0] > 0.1
    assert chaotic.any()
    assert (exponents[chaotic, -1] < exponents[chaotic, 0] - 0.05).all()
    rows = run.landmarks("σ")
    assert len(rows) == 5
    assert [row["theory"] for row in rows] == sorted(row["theory"] for row in rows)
    assert [row["computed"] for row in rows] == sorted(row["computed"] for row in rows)
    for row in rows:
        assert abs(row["difference"]) < 0.12


# --- their parts ------------------------------------------------------------------------------------------------


def test_units_are_driven_each_by_an_input_of_its_own():
    """At a gain near 0 the pre-activations are the inputs, N(0, σ²)."""
    rng = np.random.default_rng(0)
    options = {"hidden": 100, "steps": 400, "transient": 50}
    found = input_against_chaos.driven_exponent(1e-3, 1.5, rng=rng, **options)
    theory = MeanField(1e-3, 1.5)
    assert_allclose(found, theory.exponent + correction(theory) / 100, atol=0.03)
    assert abs(found - np.log(1e-3)) > 0.5


def test_crossings_are_where_a_cubic_is_zero_and_nan_where_there_is_none():
    gains = np.linspace(0.5, 4, 8)
    curves = [gains**3 - 2 * gains - 4, 1 + gains, -gains]
    found = input_against_chaos.crossings(gains, np.stack(curves, axis=1))
    assert_allclose(found, [2.0, np.nan, np.nan], atol=1e-12)
    theory = np.array([MeanField(gain, 1.0).exponent for gain in gains])
    assert_allclose(input_against_chaos.crossings(gains, theory[:, None]), critical_gain(1.0), atol=2e-3)


# --- the plot ---------------------------------------------------------------------------------------------------


def test_spectra_are_drawn_against_the_middle_of_their_shares():
    runs = np.log(np.random.default_rng(0).random((3, 8)))
    ax = plot_lyapunov_spectra({"N = 8": runs, "N = 4": [-1.0, -2.0, -3.0, -4.0]}, theory=([0, 1], [0.0, -np.inf]))
    eight, four, theory = ax.lines
    assert_array_equal(eight.get_xdata(), (np.arange(8) + 0.5) / 8)
    assert_allclose(eight.get_ydata(), runs.mean(axis=0))
    assert_array_equal(four.get_ydata(), [-1.0, -2.0, -3.0, -4.0])
    assert len(ax.collections) == 1
    assert_array_equal(theory.get_xdata(), [0])
    assert ax.get_ylabel().endswith("(nats per step)")


def test_removed_directions_are_counted_and_nothing_is_a_note():
    ax = plot_lyapunov_spectra({"N = 4": [-1.0, -2.0, -np.inf, -np.inf]})
    assert ax.lines[0].get_label() == "N = 4 (2 −∞)"
    assert not ax.texts
    before = dict(mpl.rcParams)
    empty = plot_lyapunov_spectra({"N = 2": np.full((3, 2), -np.inf)})
    assert "nothing to draw" in empty.texts[0].get_text()
    assert dict(mpl.rcParams) == before


def test_equal_data_gives_equal_files(tmp_path):
    runs = np.sort(np.random.default_rng(0).standard_normal((3, 16)))[:, ::-1]
    written = []
    for name in "ab":
        figure, axes = figures.panels()
        plot_lyapunov_spectra({"N = 16": runs}, axes[0, 0])
        written.append([path.read_bytes() for path in figures.save_figure(figure, tmp_path, name)])
    assert written[0] == written[1]


def test_a_run_of_the_toolkit_agrees_with_theory_over_the_whole_spectrum():
    """One driven network of 100 units: the curve falls by 4.2 nats over the first nine tenths."""
    size, theory = 100, MeanField(2.0, 1.0)
    kernel = ls.Kernel(ls.RNN)
    p = kernel.parameters(size, size, rng=0, gain=2.0, W_xh=np.eye(size))
    orbit = ls.run(kernel, p, np.random.default_rng(1).standard_normal((500, size)))
    off = np.asarray(ls.lyapunov_spectrum(orbit, transient=100)) - theory.spectrum(shares(size))
    assert np.ptp(theory.spectrum(shares(size))[:90]) > 4
    assert np.abs(off[:90]).max() < 0.2
    assert abs(off[:50].mean()) < 0.03
