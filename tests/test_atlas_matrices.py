"""Eigenvalue clouds, finite-time statistics, who carries the gradient: their theory, plots, and what they print."""

from __future__ import annotations

import math

import flint
import matplotlib as mpl
import numpy as np
import pytest
from lstm_sym.analyses import finite_time_statistics as statistics
from lstm_sym.analyses import who_carries_the_gradient as who
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import chdtrc, chdtri, digamma, eval_legendre
from scipy.stats import chi2

import lstm_sym as ls
from lstm_sym import figures
from lstm_sym.figures.clouds import plot_eigenvalues
from lstm_sym.figures.points import mean_and_error, plot_points
from lstm_sym.figures.shares import plot_path_shares
from lstm_sym.figures.statistics import plot_by_index, plot_deviations, plot_distribution
from lstm_sym.theory.circular import Disc, disc_of, expected_eigenvalues, real_density
from lstm_sym.theory.detours import direct_share, log_detours
from lstm_sym.theory.forgetting import log_forget
from lstm_sym.theory.rounding import EPSILON, interval_error, logs_at_interval
from lstm_sym.theory.typical import LogNorms, carrying_share

SCRIPTS = ("eigenvalue_clouds", "finite_time_statistics", "who_carries_the_gradient")

# --- the scripts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTS)
def test_landmarks_are_within_their_stated_errors(quick, name):
    rows = quick(name).landmarks()
    assert len(rows) >= 15
    for row in rows:
        assert row["error"] is not None, row["what"]
        assert abs(row["difference"]) <= 4.5 * row["error"] + 1e-13, row


def test_clouds_have_n_zeros_and_lie_about_the_forget_gate(quick):
    run = quick("eigenvalue_clouds")
    hidden, seeds = run.record["parameters"]["hidden"], run.record["parameters"]["seeds"]
    for bias in run.record["parameters"]["forget_biases"]:
        cloud = run.arrays[f"lstm, b_f = {bias:g}"]
        assert cloud.shape == (seeds, 2 * hidden)
        assert_array_equal((np.abs(cloud) < 1e-12).sum(axis=-1), hidden)
        modes = cloud[np.abs(cloud) >= 1e-12]
        assert abs(modes.mean() - np.exp(log_forget(bias))) < 4.5 * 0.25 / hidden / np.sqrt(seeds)
    zeros = run.landmarks("LSTM, b_f = 5: exact zeros")
    assert [row["computed"] for row in zeros] == [hidden]


def test_slow_modes_grow_with_the_forget_bias_as_the_disc_does(quick):
    arrays = quick("eigenvalue_clouds").arrays
    areas = arrays["areas beyond 0.9, 0.99 and 1"]
    assert (np.diff(areas, axis=1) >= 0).all()
    assert (np.diff(areas, axis=0) <= 0).all()
    assert areas[:, 0].max() == 0
    assert_allclose(areas[1, 24], Disc(1 / (1 + math.exp(-3)), 0.25).share_beyond(0.99), rtol=1e-12)
    slow = [np.mean(np.abs(arrays[f"lstm, b_f = {bias}"]) > 0.99) for bias in (0, 2, 3, 5)]
    assert slow == sorted(slow)
    assert slow[0] == 0


def test_horn_holds_strictly_where_qr_is_not_svd(quick):
    run = quick("finite_time_statistics")
    for horizon in run.record["parameters"]["horizons"]:
        excess = run.arrays[f"log singular values, T = {horizon}"] - run.arrays[f"qr logs, T = {horizon}"]
        partial = np.cumsum(excess, axis=-1)
        assert partial[:, :-1].min() > 0.1
        assert np.abs(partial[:, -1]).max() < 1e-8
        assert excess.max() > 1


def test_the_median_of_norms_falls_while_the_mean_cannot_be_seen(quick):
    run = quick("finite_time_statistics")
    lengths, logs = run.arrays["lengths"], run.arrays["log norms"]
    assert lengths[-1] == 100
    medians = np.median(logs, axis=-1)
    laws = [LogNorms(8, int(length)) for length in lengths]
    for median, law in zip(medians, laws, strict=True):
        half = 0.5 / np.sqrt(logs.shape[1]) / law.density(np.array([law.mean]))[0]
        assert abs(median - law.mean) < 5 * half + 0.06  # the median of a skewed law is a little above its mean
    assert np.exp(laws[-1].carrying()) < 1e-6


def test_the_frozen_block_is_wrong_by_more_than_a_nat(quick):
    run = quick("who_carries_the_gradient")
    whole, block = run.arrays["leading exponents"].mean(axis=1)
    assert (whole - block > 1.0).all()
    assert whole[0] < whole[4] < 0.05
    assert (whole > log_forget(run.record["parameters"]["forget_biases"]) - 0.05).all()


def test_shares_by_path_add_up_and_pass_from_the_direct_path_to_the_candidate(quick):
    run = quick("who_carries_the_gradient")
    paths = {label: run.arrays[f"share driven, b_f = 1, {label}"] for label in "direct f i g o".split()}
    assert_allclose(sum(paths.values()), 1.0, atol=1e-12)
    assert_allclose(paths["direct"][:, 0], 1.0, atol=1e-12)
    assert np.abs(paths["direct"][:, -1]).max() < 1e-3 < 0.5 < np.median(paths["g"][:, -1])
    half = [
        int((np.median(run.arrays[f"direct share driven, b_f = {b}"], axis=0) > 0.5).sum()) for b in (0, 1, 3, 5)
    ]
    assert half == sorted(half)
    assert half[3] > 2 * half[1]


def test_qr_at_an_interval_errs_as_much_as_exact_arithmetic_says():
    steps, units = 60, 3
    run = who.lstm_run(units, 1.0, 5, 10 + steps)
    jacobians = run.system.jacobian(run.parameters, run.inputs[10:], run.previous[10:])
    frame, _ = np.linalg.qr(np.random.default_rng([5, 3]).standard_normal((2 * units, 2 * units)))
    exact = exact_qr_logs(jacobians, frame, 8000)
    found = steps * np.asarray(ls.lyapunov_spectrum(jacobians, frame=frame, accuracy=1e-13))
    assert_allclose(found, exact, atol=1e-10)
    errors, spread, _ = who.interval_errors(units, 5, steps, 10, 2 * units)
    for place, interval in enumerate(who.INTERVALS):
        own = np.abs(logs_at_interval(jacobians, frame, interval) - exact).max() / steps
        assert errors[place] == pytest.approx(max(own, EPSILON / 10), abs=1e-12)
        assert abs(np.log10(errors[place] / interval_error(spread, interval))) < 2.5
    assert errors[0] < 1e-12 < 0.1 < errors[-1]


def exact_qr_logs(matrices, frame, bits):
    """Σ log r_kk from the Gram determinants of A_T ··· A_1 times the frame, descending."""
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        product = flint.arb_mat(frame.tolist())
        for matrix in matrices:
            product = (flint.arb_mat(matrix.tolist()) * product).mid()
        entries = np.array(product.tolist(), dtype=object)
        sums = [0.0]
        for k in range(1, frame.shape[1] + 1):
            columns = flint.arb_mat(entries[:, :k].tolist())
            sums.append(float((columns.transpose() * columns).det().log()) / 2)
        return np.sort(np.diff(sums))[::-1]
    finally:
        flint.ctx.prec = before


def test_too_few_samples_are_refused_in_one_line(tmp_path, capsys):
    assert statistics.main(["--quick", "--samples", "3", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_share_that_carries_the_mean_counts_samples():
    assert carrying_share(np.log(np.full(8, 3.0))) == 0.5
    assert carrying_share(np.array([0.0, -50.0, -60.0, -70.0])) == 0.25
    assert carrying_share(np.array([-4000.0, -4000.0])) == 0.5
    for wrong in ([], [0.0, np.inf]):
        with pytest.raises(ValueError, match=r"expected|finite"):
            carrying_share(wrong)


# --- theory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("centre", "radius", "magnitude"), [(0.95, 0.25, 0.99), (0.3, 0.9, 0.4), (-0.6, 0.5, 1.0)])
def test_areas_beyond_a_circle_by_quadrature(centre, radius, magnitude):
    r = radius * np.sqrt((np.arange(2000) + 0.5) / 2000)  # rings of equal area
    angle = 2 * np.pi * (np.arange(1999) + 0.5) / 1999
    beyond = np.abs(centre + r[:, None] * np.exp(1j * angle)) > magnitude
    assert Disc(centre, radius).share_beyond(magnitude) == pytest.approx(beyond.mean(), abs=2e-4)


def test_areas_where_circles_do_not_cross():
    assert Disc(0.5, 0.25).share_beyond(0.75) == 0
    assert Disc(2.0, 0.5).share_beyond(1.0) == 1
    assert Disc(0.1, 2.0).share_beyond(1.0) == pytest.approx(0.75, rel=1e-15)
    assert Disc(0.5, 0.25).share_beyond(0.0) == 1
    assert Disc(1 + 2**-52, 0.1).share_beyond(1.1) == pytest.approx(0, abs=1e-15)  # they touch, but for rounding


@pytest.mark.parametrize("n", [2, 4, 8, 20])
def test_real_eigenvalues_number_as_edelman_says(n):
    double = {k: math.prod(range(k, 0, -2)) for k in range(-1, 2 * n)}
    number = math.sqrt(2) * sum(double[4 * k - 1] / double[4 * k] for k in range(n // 2))
    x = np.linspace(-math.sqrt(n) - 9, math.sqrt(n) + 9, 4001)
    assert np.trapezoid(real_density(x, n), x) == pytest.approx(number, rel=1e-10)


@pytest.mark.parametrize("n", [2, 7, 64, 400])
def test_the_mean_density_is_normalised_and_knows_the_trace_of_the_square(n):
    points, weights = expected_eigenvalues(n)
    assert weights.sum() == pytest.approx(1, abs=2e-5)
    assert n * (weights @ points**2) == pytest.approx(1, abs=3e-3)  # E tr W² = 1
    assert abs(weights @ points) < 1e-12
    assert (weights >= 0).all()


def test_the_mean_density_is_that_of_sampled_matrices():
    n, samples = 6, 20_000
    w = np.linalg.eigvals(np.random.default_rng(0).standard_normal((samples, n, n)) / np.sqrt(n))
    points, weights = expected_eigenvalues(n)
    for f in (np.abs, lambda z: np.abs(z) ** 4, lambda z: np.abs(0.7 + 0.3 * z) > 0.95):
        each = f(w).mean(axis=-1)
        assert abs(each.mean() - weights @ f(points)) < 4.5 * each.std() / np.sqrt(samples) + 1e-4


def test_discs_come_from_the_closed_form_at_the_zero_state():
    assert disc_of(ls.zero_state(ls.RNN), 1.5) == Disc(0.0, 1.5)
    forget, gates = 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(1)) / (1 + math.exp(-2))
    disc = disc_of(ls.zero_state(ls.LSTM, b_f=3, b_i=-1, b_o=2), 0.5)
    assert (disc.centre, disc.radius) == pytest.approx((forget, 0.5 * gates), rel=1e-14)
    assert disc_of(ls.zero_state(ls.GRU)) == Disc(0.5, 0.25)
    for cell in (ls.cells.AntisymmetricRNN, ls.cells.MinGRU):
        with pytest.raises(ValueError, match="one weight matrix"):
            disc_of(ls.zero_state(cell))
    with pytest.raises(ValueError, match="size = 1"):
        expected_eigenvalues(1)


def test_log_norms_after_one_step_are_chi_distributed():
    law, x = LogNorms(8, 1), np.linspace(-1.5, 0.7, 50)
    assert_allclose(law.density(x), 16 * np.exp(2 * x) * chi2.pdf(8 * np.exp(2 * x), 8), atol=1e-9)
    assert_allclose(law.density_carrying(x), np.exp(2 * x) * law.density(x), atol=1e-8)
    for part in (0.1, 0.5, 0.9):
        edge = chdtri(10, part)  # the mean of χ²_N is that of χ²_(N+2) without its factor
        assert law.carrying(part) == pytest.approx(np.log(chdtrc(8, edge)), abs=2e-4)
    for samples in (1, 2, 10, 1000):  # the largest of so many is below its median with probability ½
        seen = 1 - chdtrc(10, chdtri(8, 1 - 0.5 ** (1 / samples)))
        assert law.mean_seen(samples) == pytest.approx(seen, abs=1e-4)


@pytest.mark.parametrize(("size", "steps"), [(2, 3), (8, 100), (64, 1000)])
def test_densities_have_the_moments_in_closed_form(size, steps):
    law = LogNorms(size, steps)
    x = law.mean + np.sqrt(law.variance) * np.linspace(-11, 9, 4001)
    density = law.density(x)
    mean = np.trapezoid(x * density, x)
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-6)
    assert mean == pytest.approx(law.mean, abs=1e-5)
    second, fourth = (np.trapezoid((x - law.mean) ** k * density, x) for k in (2, 4))
    assert second == pytest.approx(law.variance, rel=1e-4)
    assert fourth - 3 * second**2 == pytest.approx(law.fourth_cumulant, rel=2e-2, abs=1e-5)
    carrying = x + law.mean_carrying - law.mean
    assert np.trapezoid(law.density_carrying(carrying), carrying) == pytest.approx(1, abs=1e-6)


def test_who_carries_the_mean_becomes_rare_exponentially():
    logs = [LogNorms(8, steps).carrying() for steps in (100, 200, 400, 4000)]
    assert logs == sorted(logs, reverse=True)
    cost = digamma(5) - np.log(4)  # 2·mean_carrying: e^−2x of the density of the mean, at its own mean
    assert logs[3] - logs[2] == pytest.approx(-3600 * cost - 0.5 * np.log(10), abs=0.01)
    assert LogNorms(8, 4000).mean_seen(10**6) == pytest.approx(0, abs=1e-9)
    assert LogNorms(8, 1).mean_seen(10**9) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("wrong", [(0, 3), (4, 0), (-1, 1)])
def test_sizes_and_steps_below_one_are_refused(wrong):
    with pytest.raises(ValueError, match="expected an integer from 1"):
        LogNorms(*wrong)
    with pytest.raises(ValueError, match="between 0 and 1"):
        LogNorms(4, 4).carrying(1.0)
    with pytest.raises(ValueError, match="samples = 0"):
        LogNorms(4, 4).mean_seen(0)


@pytest.mark.parametrize("ratio", [0.1, 0.342, 0.9])
def test_detours_are_a_legendre_polynomial(ratio):
    lags, x = np.arange(1, 31), ratio**2
    legendre = (1 - x) ** (lags - 1) * eval_legendre(lags - 1, (1 + x) / (1 - x))
    assert_allclose(log_detours(lags, ratio), np.log(legendre), rtol=1e-11, atol=1e-12)


def test_detours_at_long_lags_and_at_the_edges():
    far = log_detours(100_001, 0.5)
    assert far == pytest.approx(200_001 * np.log(1.5) - np.log(2 * np.sqrt(np.pi * 1e5 * 0.5)), rel=1e-9)
    assert_array_equal(direct_share([1, 2, 50], 0.0), 1.0)
    assert direct_share(1, 3.0) == 1.0
    assert direct_share(100_001, 0.5) == 0.0
    for lags, ratio in (([0, 1], 0.5), ([2.5], 0.5), ([1], -0.1), ([1], np.nan), ([np.nan], 0.5)):
        with pytest.raises(ValueError, match=r"expected|finite"):
            direct_share(lags, ratio)


def test_shares_at_rest_are_those_of_the_powers_of_one_matrix():
    run = who.lstm_run(20, 1.0, 3, 12, driven=False)
    forget = 1 / (1 + math.exp(-1))
    step = forget * np.eye(20) + 0.25 * run.parameters["W_hg"]
    found = ls.path_shares(run, "c", "c")["direct"]
    for lag in (1, 4, 12):
        whole = np.linalg.matrix_power(step, lag - 1) * forget
        assert found[lag - 1] == pytest.approx(forget**lag * np.trace(whole) / np.sum(whole**2), rel=1e-11)


def test_errors_of_intervals_are_rounding_times_condition_and_then_all_that_is_lost():
    assert_allclose(interval_error(6.0, [1, 2, 3]), EPSILON * np.exp(6.0 * np.arange(1, 4)) / [1, 2, 3], rtol=1e-7)
    assert_allclose(interval_error([6.0, 9.0], 1000), [6 + np.log(EPSILON) / 1000, 9 + np.log(EPSILON) / 1000])
    assert interval_error(0.0, 10**6) == EPSILON
    for spread, interval in ((1.0, 0), (-1.0, 2), (np.nan, 2)):
        with pytest.raises(ValueError, match=r"expected|finite"):
            interval_error(spread, interval)


@pytest.mark.parametrize(
    ("shape", "frame", "interval", "match"),
    [
        ((4, 3, 3), (3, 2), 0, "interval = 0"),
        ((4, 3, 3), (2, 2), 1, "expected .T, S, S."),
        ((4, 3, 2), (3, 2), 1, "expected .T, S, S."),
        ((3, 3), (3, 2), 1, "expected .T, S, S."),
        ((4, 3, 3), (3, 4), 1, "k ≤ S"),
    ],
)
def test_shapes_of_products_at_an_interval_are_checked(shape, frame, interval, match):
    with pytest.raises(ValueError, match=match):
        logs_at_interval(np.ones(shape), np.ones(frame), interval)


# --- plots ------------------------------------------------------------------------------------------------------

GONE = np.full(4, np.nan)
EMPTY = {
    "points": lambda ax: plot_points({"a": (np.arange(4), GONE), "b": (np.arange(4), GONE - np.inf)}, ax),
    "clouds": lambda ax: plot_eigenvalues({"a": GONE + 1j}, ax, background=GONE),
    "no clouds": lambda ax: plot_eigenvalues({}, ax),
    "shares": lambda ax: plot_path_shares({"a": GONE, "b": np.stack([GONE, GONE])}, ax),
    "index": lambda ax: plot_by_index({"a": GONE - np.inf, "b": [GONE, GONE]}, ax),
    "deviations": lambda ax: plot_deviations({"a": GONE}, ax),
    "distribution": lambda ax: plot_distribution([np.inf, -np.inf, np.nan], ax),
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("plot", EMPTY)
def test_nothing_to_draw_is_said_in_the_figure(plot, dark, tmp_path):
    with figures.style(dark=dark):
        figure, axes = figures.panels()
    assert EMPTY[plot](axes[0, 0]) is axes[0, 0]
    assert any("nothing to draw" in text.get_text() for text in axes[0, 0].texts)
    figures.legend(axes[0, 0])
    assert figures.save_figure(figure, tmp_path, "empty", kinds=("png",))[0].stat().st_size > 1000


def test_points_are_means_with_standard_errors_beside_their_theory():
    values = [[1.0, np.nan, 5.0], [3.0, 4.0, np.inf]]
    mean, error = mean_and_error(values)
    assert_allclose(mean, [2, 4, 5])
    assert_allclose(error, [1, 0, 0])
    ax = plot_points({"a": ([0, 1, 2], values)}, theory={"theory": ([0, 2], [7, 8])}, labels=("x (1)", "y (nats)"))
    points, theory = ax.lines
    assert_allclose(points.get_ydata(), mean)
    assert_allclose(theory.get_ydata(), [7, 8])
    assert_allclose(next(iter(ax.collections[0].get_segments()))[:, 1], [1, 3])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (1)", "y (nats)")


def test_clouds_count_zeros_and_draw_circles():
    ax = plot_eigenvalues(
        {"one": [0, 1e-12, 0.5 + 1j, np.inf], "two": [[0.1j], [0.2]]}, background=[0.3, np.nan], discs=[(0.5, 0.25)]
    )
    assert ax.texts[0].get_text() == "2 zeros"
    pale, one, two, zeros = ax.lines
    assert_allclose(pale.get_xdata(), [0.3])
    assert_allclose([one.get_xdata(), one.get_ydata()], [[0.5], [1]])
    assert_allclose(two.get_ydata(), [0.1, 0])
    assert_allclose(zeros.get_xdata(), [0])
    assert [(patch.center, patch.radius) for patch in ax.patches] == [((0, 0), 1), ((0.5, 0), 0.25)]
    assert one.get_marker() != two.get_marker()


def test_shares_are_medians_over_what_is_defined():
    ax = plot_path_shares({"a": [[1, 0.5, np.nan], [1, 0.1, np.nan], [1, 0.2, np.nan]], "b": [0.0, 1.0, 2.0]})
    a, b = ax.lines[2:]
    assert_allclose(a.get_ydata(), [1, 0.2])
    assert_allclose(b.get_xdata(), [1, 2, 3])
    assert "(steps)" in ax.get_xlabel()
    assert len(ax.collections) == 1


def test_statistics_plots_show_what_they_are_given():
    ax = plot_by_index({"a": [[1, 2], [3, 6], [5, 7]]})
    assert_allclose(ax.lines[1].get_ydata(), [3, 6])
    ax = plot_deviations({"a": [[9.0, np.nan]], "b": [0.1]}, band=3.0)
    assert ax.get_ylim() == pytest.approx((-10.8, 10.8))
    x = np.linspace(-3, 3, 50)
    ax = plot_distribution(
        np.random.default_rng(0).standard_normal((100, 90)), densities={"exact": (x, np.exp(-x * x))}
    )
    area = sum(patch.get_height() * patch.get_width() for patch in ax.patches)
    assert area == pytest.approx(1, rel=1e-12)
    assert_allclose(ax.lines[0].get_xdata(), x)


def all_plots():
    figure, axes = figures.panels(2, 3, width=figures.PAGE, height=4.0)
    rng = np.random.default_rng(0)
    plot_points({"a": ([1, 2], rng.random((3, 2)))}, axes[0, 0], {"theory": ([1, 2], [0, 1])})
    plot_eigenvalues({"a": rng.random(5) + 1j * rng.random(5)}, axes[0, 1], rng.random(9), [(0.5, 0.5)])
    plot_path_shares({"a": rng.random((2, 9))}, axes[0, 2])
    plot_by_index({"a": rng.random((2, 9))}, axes[1, 0])
    plot_deviations({"a": rng.standard_normal((2, 9))}, axes[1, 1])
    plot_distribution(rng.standard_normal(99), axes[1, 2], {"exact": ([-1, 1], [0.1, 0.2])})
    return figure


def test_equal_data_gives_equal_bytes_and_nothing_global_changes(tmp_path):
    with mpl.rc_context({"font.size": 31.0}):
        before = dict(mpl.rcParams)
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            figures.save_figure(all_plots(), tmp_path / folder, "f", kinds=("png", "pdf"))
        assert dict(mpl.rcParams) == before
    for kind in ("png", "pdf"):
        assert (tmp_path / "one" / f"f.{kind}").read_bytes() == (tmp_path / "two" / f"f.{kind}").read_bytes()


def test_plots_follow_a_dark_background():
    with figures.style(dark=True):
        dark = all_plots()
    for axes in zip(all_plots().axes, dark.axes, strict=True):
        light, night = ([line.get_color() for line in ax.lines] for ax in axes)
        assert len(light) == len(night) > 0
        assert all(a != b for a, b in zip(light, night, strict=True))
