"""Phase diagrams: the maps as pictures, exponents about the critical gain, and the landmarks of the analyses."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose

import lstm_sym as ls
from lstm_sym.figures import panels, plot_phase_diagram, style
from lstm_sym.figures.maps import DIVERGING, DIVERGING_ON_DARK
from lstm_sym.quantities import (
    crossing_gain,
    edge_gain,
    exponent_at_zero,
    leading_exponent,
    settled_exponent,
    zero_state_exponent,
)
from lstm_sym.scripts.phases import FINITE_DEVIATION, FINITE_MEAN, critical_gain, edge_exponent

X, Y = np.linspace(0.0, 4.0, 9), np.linspace(-1.0, 1.0, 5)
SADDLE = np.subtract.outer(X - 2.0, Y)


def mesh(ax):
    (found,) = [c for c in ax.collections if type(c).__name__ == "QuadMesh"]
    return found


def contours(ax):
    return [c for c in ax.collections if type(c).__name__ == "QuadContourSet"]


def hatches(ax):
    return [c for c in ax.collections if type(c).__name__ == "PatchCollection"]


def pixels(ax):
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].astype(float)


# --- exponents about the critical gain --------------------------------------------------------------------------


@pytest.mark.parametrize("b_f", [-2.0, 0.0, 1.0, 3.0])
def test_the_critical_gain_falls_with_the_forget_gate(b_f):
    assert critical_gain(ls.LSTM, b_f=b_f) == pytest.approx(4 / (1 + np.exp(b_f)), rel=1e-14)


@pytest.mark.parametrize("bias", [-2.0, 0.0, 3.0])
def test_a_gru_needs_as_much_gain_at_any_update_bias_but_not_at_any_reset_bias(bias):
    assert critical_gain(ls.GRU, b_z=bias) == pytest.approx(2.0, rel=1e-14)
    assert critical_gain(ls.GRU, b_r=bias) == pytest.approx(1 + np.exp(-bias), rel=1e-14)


@pytest.mark.parametrize(
    ("cell", "biases"), [("LSTM", {"b_f": 1.0}), ("GRU", {"b_z": 1.0}), ("GRU", {"b_r": -1.0})]
)
@pytest.mark.parametrize("rng", [0, 1, 2, 3])
def test_a_run_that_dies_away_has_the_exponent_of_the_closed_form_to_rounding(cell, biases, rng):
    gain = 0.5 * critical_gain(getattr(ls, cell), **biases)
    found = exponent_at_zero(cell, hidden=12, gain=gain, rng=rng, **biases)
    assert found["closed"] == pytest.approx(
        zero_state_exponent(cell, hidden=12, gain=gain, rng=rng, **biases), abs=1e-12
    )
    assert abs(found["measured"] - found["closed"]) <= found["error"] <= 1e-8


def test_above_its_critical_gain_no_run_dies_away():
    edge = edge_gain("LSTM", hidden=10, b_f=0.0, rng=4)
    assert exponent_at_zero("LSTM", hidden=10, gain=0.99 * edge, b_f=0.0, rng=4, initial=1e-9)["measured"] < 0
    with pytest.raises(ValueError, match="not stable"):
        exponent_at_zero("LSTM", hidden=10, gain=1.01 * edge, b_f=0.0, rng=4)


@pytest.mark.parametrize(
    ("cell", "biases", "gain"), [("RNN", {}, 0.7), ("LSTM", {"b_f": 2.0}, 0.24), ("GRU", {"b_z": 2.0}, 1.0)]
)
def test_where_the_transient_is_cut_short_the_stated_error_is_of_the_size_of_the_difference(cell, biases, gain):
    shares = []
    for rng in range(12):
        found = exponent_at_zero(cell, hidden=64, gain=gain, rng=rng, longest=300, **biases)
        if found["error"] > 1e-8:
            shares.append(abs(found["measured"] - found["closed"]) / found["error"])
    assert len(shares) >= 6
    assert sorted(shares)[-2] < 1
    assert max(shares) < 2  # one network in some dozens
    assert np.median(shares) > 0.01


def test_a_start_far_from_the_leading_direction_is_seen_as_a_drift():
    given = {"hidden": 64, "gain": 1.0, "b_z": 2.0, "rng": 22}
    found = exponent_at_zero("GRU", longest=1000, **given)
    difference = abs(found["measured"] - found["closed"])
    assert 5e-5 < difference < found["error"] < 3 * difference
    settled = exponent_at_zero("GRU", **given)
    assert abs(settled["measured"] - settled["closed"]) <= settled["error"] < 1.1e-9


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("hidden", [1, 8])
def test_without_recurrent_weights_no_direction_outgrows_the_others(cell, hidden):
    with pytest.raises(ValueError, match="gain = 0: expected recurrent weights that act"):
        exponent_at_zero(cell, hidden=hidden, gain=0.0, rng=0)


def test_a_forget_bias_that_is_not_given_is_one_on_both_sides():
    given = {"hidden": 16, "gain": 0.2, "rng": 0}
    assert exponent_at_zero("LSTM", **given) == exponent_at_zero("LSTM", b_f=1.0, **given)
    assert edge_gain("LSTM", hidden=16, rng=0) == edge_gain("LSTM", hidden=16, rng=0, b_f=1.0)


@pytest.mark.parametrize("b_f", [50.0, 1000.0])
def test_a_time_constant_that_nobody_waits_for_is_refused(b_f):
    with pytest.raises(ValueError, match=f"b_f = {b_f:g}: its time constant is .* steps"):
        settled_exponent("LSTM", hidden=4, b_f=b_f, rng=0)


@pytest.mark.parametrize("b_f", [-1.0, 2.0])
def test_the_measured_exponent_passes_zero_at_the_gain_of_the_eigenvalues(b_f):
    for rng in range(3):
        edge = edge_gain("LSTM", hidden=16, b_f=b_f, rng=rng)
        assert crossing_gain("LSTM", hidden=16, b_f=b_f, rng=rng) == pytest.approx(edge, rel=1e-6)
        assert zero_state_exponent("LSTM", hidden=16, gain=edge, b_f=b_f, rng=rng) == pytest.approx(0, abs=1e-9)


def test_the_edge_of_one_network_comes_to_the_closed_form_as_it_grows():
    distance = {}
    for hidden in (9, 100):
        edges = np.array([edge_gain("LSTM", hidden=hidden, b_f=2.0, rng=rng) for rng in range(5)])
        distance[hidden] = np.abs(edges / critical_gain(ls.LSTM, b_f=2.0) - 1).mean()
    assert distance[9] < 2.5 / 3
    assert distance[100] < 1.0 / 10
    assert distance[100] < distance[9]


def test_the_edge_of_the_disc_is_at_zero_where_the_gain_is_critical():
    critical = critical_gain(ls.LSTM, b_f=3.0)
    at_edge = edge_exponent(ls.LSTM, np.array([1e-12, critical]), "W_hg", b_f=3.0)
    assert_allclose(at_edge, [-np.logaddexp(0, -3.0), 0.0], atol=1e-12)
    assert_allclose(edge_exponent(ls.GRU, np.array([2.0]), "W_qn", b_z=-1.0), 0.0, atol=1e-14)


def test_a_settled_exponent_waits_as_long_as_its_time_constant():
    slow = settled_exponent("LSTM", hidden=8, gain=1e-6, b_f=5.0, rng=0, relaxations=5)
    assert slow == pytest.approx(-np.logaddexp(0, -5.0), rel=1e-4)
    with pytest.raises(ValueError, match="keeps = 'b_f'"):
        settled_exponent("LSTM", hidden=8, rng=0)
    with pytest.raises(ValueError, match="relaxations"):
        settled_exponent("LSTM", hidden=8, b_f=1.0, relaxations=0)


def test_a_cell_without_a_critical_gain_is_refused():
    with pytest.raises(ValueError, match="critical gain"):
        edge_gain("MinGRU", hidden=4)
    with pytest.raises(ValueError, match=r"above 0|no closed form"):
        edge_gain("LSTM", hidden=4, b_g=1.0)


# --- maps --------------------------------------------------------------------------------------------------------


def test_a_map_shows_values_where_they_belong_in_any_order():
    shuffle = np.random.default_rng(0).permutation(X.size)
    with style(dark=False):
        ax = plot_phase_diagram(SADDLE, X, Y)
        other = plot_phase_diagram(SADDLE[shuffle][:, ::-1], X[shuffle], Y[::-1])
    limit = np.quantile(SADDLE[SADDLE > 0], 0.98)
    assert_allclose(mesh(ax).get_array(), np.clip(SADDLE.T, -limit, limit), rtol=1e-14)
    assert_allclose(mesh(other).get_array(), mesh(ax).get_array())
    assert ax.get_xlim() == (-0.25, 4.25)
    assert ax.get_ylim() == (-1.25, 1.25)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("linear", [None, 0.1])
def test_colours_are_centred_on_zero_and_the_signs_differ_without_colour(dark, linear):
    tones = DIVERGING_ON_DARK if dark else DIVERGING
    with style(dark=dark):
        ax = plot_phase_diagram(SADDLE, X, Y, linear=linear)
    colours = mesh(ax).cmap(mesh(ax).norm([0.0, *mesh(ax).get_clim()]))
    expected = [mpl.colors.to_rgba(tones[k]) for k in (3, 0, 6)]
    assert_allclose(colours, expected, atol=0.012)
    dotted, line = contours(ax)
    assert dotted.hatches == ["..."]
    assert_allclose(line.get_paths()[0].vertices[:, 0] - 2, line.get_paths()[0].vertices[:, 1], atol=0.26)


def test_without_two_signs_there_is_no_contour():
    with style(dark=False):
        for values in (SADDLE + 9.0, SADDLE - 9.0, np.zeros_like(SADDLE)):
            assert not contours(plot_phase_diagram(values, X, Y))
        assert len(contours(plot_phase_diagram(SADDLE, X, Y, contour=False))) == 1


def test_unknown_values_are_hatched_and_infinite_ones_have_the_colour_of_the_end():
    values = SADDLE.copy()
    values[2, 1], values[0, 0], values[-1, -1] = np.nan, -np.inf, np.inf
    with style(dark=False):
        ax = plot_phase_diagram(values, X, Y)
    shown = mesh(ax).get_array()
    assert shown.mask.sum() == 1
    assert shown.mask[1, 2]
    assert (shown[0, 0], shown[-1, -1]) == mesh(ax).get_clim()
    (hatched,) = hatches(ax)
    assert len(hatched.get_paths()) == 1
    assert_allclose(hatched.get_paths()[0].get_extents().bounds, [0.75, -0.75, 0.5, 0.5])
    assert not hatches(plot_phase_diagram(SADDLE, X, Y))


@pytest.mark.parametrize("values", [np.full((9, 5), np.nan), np.full((9, 5), -np.inf), np.zeros((9, 5))])
def test_degenerate_maps_are_drawn(values):
    with style(dark=False):
        ax = plot_phase_diagram(values, X, Y, title="t")
        ax.figure.savefig(io.BytesIO())
    noted = [text.get_text() for text in ax.texts]
    assert noted == (
        ["nothing to draw: every leading exponent is zero or undefined"] if np.isnan(values).any() else []
    )


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (1, 5), (9, 1), (2, 2)])
def test_a_single_row_or_column_is_a_map(columns, rows):
    with style(dark=False):
        ax = plot_phase_diagram(SADDLE[:columns, :rows], X[:columns], Y[:rows])
        ax.figure.savefig(io.BytesIO())
    assert mesh(ax).get_array().shape == (rows, columns)


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1e-12, 1e12, 1e300])
@pytest.mark.parametrize("linear", [None, 1e-3])
def test_maps_of_any_magnitude_are_drawn(scale, linear):
    with style(dark=False):
        plot_phase_diagram(scale * SADDLE, X, Y, linear=linear).figure.savefig(io.BytesIO())


@pytest.mark.parametrize("wrong", [{"linear": 0.0}, {"linear": -1.0}, {"linear": np.nan}, {"log": "z"}])
def test_refused_scales(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        plot_phase_diagram(SADDLE, X, Y, **wrong)


def test_one_outlier_does_not_take_all_the_colours():
    values = np.tile(np.linspace(-1.0, 1.0, 20), (20, 1))
    values[3, 3] = -1000.0
    with style(dark=False):
        ax = plot_phase_diagram(values, np.arange(20), np.arange(20))
    low, high = mesh(ax).get_clim()
    assert -1.01 < low < -0.9
    assert 0.9 < high < 1.01
    assert ax.figure.axes[1].get_ylim() == (low, high)


def test_logarithmic_axes_have_cells_of_equal_width():
    gains = np.geomspace(0.01, 100.0, 9)
    with style(dark=False):
        ax = plot_phase_diagram(SADDLE, gains, Y, log="x")
    assert ax.get_xscale() == "log"
    edges = mesh(ax).get_coordinates()[0, :, 0]
    assert_allclose(np.diff(np.log(edges)), np.log(10) / 2, rtol=1e-9)
    with pytest.raises(ValueError, match="logarithmic axis"):
        plot_phase_diagram(SADDLE, X, Y, log="x")


def test_theory_is_on_top_and_named():
    with style(dark=False):
        ax = plot_phase_diagram(SADDLE, X, Y, lines={"critical": (2 + Y, Y)}, isolines={"τ = 10": (X, 0 * X)})
    assert [line.get_label() for line in ax.lines][:1] == ["critical"]
    assert ax.lines[0].get_zorder() > mesh(ax).get_zorder()
    assert [text.get_text() for text in ax.texts] == ["τ = 10"]


def test_the_picture_is_the_same_each_time_and_nothing_global_changes():
    before = dict(mpl.rcParams)
    pictures = []
    for _ in range(2):
        with style(dark=False):
            pictures.append(pixels(plot_phase_diagram(SADDLE, X, Y)))
    assert np.array_equal(*pictures)
    assert dict(mpl.rcParams) == before


def test_in_grey_the_sides_differ_by_dots():
    values = np.where(SADDLE >= 0, 0.5, -0.5) * np.ones_like(SADDLE)
    with style(dark=False):
        _, axes = panels(width=4.0, height=3.0)
        ax = plot_phase_diagram(values, X, Y, axes[0, 0])
    grey = pixels(ax).mean(axis=-1)
    corners = ax.transData.transform([[0.2, -0.1], [1.4, 0.9], [2.9, -0.9], [3.9, 0.1]])
    height = grey.shape[0]
    left, right = (
        grey[slice(*sorted(int(height - y) for y in c[:, 1])), slice(*map(int, c[:, 0]))]
        for c in (corners[:2], corners[2:])
    )
    assert left.std() < 1.0
    assert right.std() > 2.5


@pytest.mark.parametrize(
    ("values", "x", "y", "says"),
    [
        (SADDLE.T, X, Y, "expected .len"),
        (SADDLE, X[:-1], Y, "expected .len"),
        (SADDLE, np.r_[X[:-1], X[0]], Y, "none of them twice"),
        (SADDLE, np.r_[X[:-1], np.nan], Y, "x.8. is nan"),
        (SADDLE, X, [], "none of them twice"),
    ],
)
def test_refused_maps(values, x, y, says):
    with pytest.raises(ValueError, match=says):
        plot_phase_diagram(values, x, y)


# --- the analyses ------------------------------------------------------------------------------------------------

ANALYSES = ("lstm_phase_diagram", "gru_phase_diagram")


@pytest.mark.parametrize("name", ANALYSES)
def test_landmarks_are_within_the_error_that_is_stated(quick, name):
    rows = quick(name).landmarks()
    assert len(rows) >= 17
    for row in rows:
        deviations = 3 if row["what"].endswith("N → ∞") else 1  # by chance; the others are tolerances
        assert abs(row["difference"]) <= deviations * row["error"], row["what"]


@pytest.mark.parametrize("name", ANALYSES)
def test_rows_of_landmarks_have_networks_of_their_own(quick, name):
    rows = [row for row in quick(name).landmarks("exponent") if not row["what"].endswith("N → ∞")]
    assert len({row["computed"] for row in rows}) == len(rows) >= 6


def test_what_a_finite_size_leaves_falls_with_the_number_of_networks_to_the_bias(quick):
    for row in quick("lstm_phase_diagram").landmarks("exponent is 0"):
        if row["what"].endswith("N → ∞"):
            assert row["error"] == pytest.approx(row["theory"] * np.sqrt((0.45**2 + 0.75**2 / 2) / 24), rel=1e-12)


def test_the_statement_on_finite_size_holds_for_other_networks():
    for biases in ({"b_f": -2.0}, {"b_f": 2.0}):
        edges = np.array([edge_gain("LSTM", hidden=16, rng=100 + rng, **biases) for rng in range(40)])
        off = 4 * (edges / critical_gain(ls.LSTM, **biases) - 1)
        assert abs(off.mean()) < FINITE_MEAN + 2 * FINITE_DEVIATION / np.sqrt(40)
        assert 0.4 * FINITE_DEVIATION < off.std(ddof=1) < 1.3 * FINITE_DEVIATION


@pytest.mark.parametrize("name", ANALYSES)
def test_time_constants_are_those_of_the_facts(quick, name):
    found = [row["computed"] for row in quick(name).landmarks("time constant")]
    facts = [1.4426950409, 3.1922192845, 7.8784816037, 20.5814881365, 148.9125994906, 10, 100, 1000]
    assert_allclose(found, facts, rtol=1e-9)


def test_below_the_critical_gain_an_lstm_is_stable(quick):
    arrays = quick("lstm_phase_diagram").arrays
    share = arrays["gain"][:, None] / arrays["critical gain"]
    mean = arrays["exponent"].mean(axis=-1)
    assert arrays["exponent"].shape == (*share.shape, 2)
    assert np.all(mean[share < 0.5] < 0)
    tau = 1 / np.logaddexp(0, -arrays["b_f"])
    assert_allclose((mean * tau)[share < 0.02], -1.0, atol=0.1)
    assert mean[-1, 0] > 0.2


def test_a_gru_below_half_its_critical_gain_is_stable_and_chaotic_far_above(quick):
    arrays = quick("gru_phase_diagram").arrays
    assert_allclose(arrays["critical gain over b_z"], 2.0, rtol=1e-14)
    below = arrays["gain"] < 0.8
    assert np.all(arrays["exponent over b_z"][below] < 0)
    assert np.all(arrays["exponent over b_r"][below] < 0)
    assert arrays["exponent over b_r"][-4:].mean() > 0


def test_with_its_reset_gate_closed_a_gru_is_stable_and_chaotic_at_the_same_gain():
    given = {"hidden": 48, "gain": 0.75 * critical_gain(ls.GRU, b_r=-3.0), "b_r": -3.0, "rng": 1}
    calm, wild = (leading_exponent("GRU", initial=initial, steps=500, **given) for initial in (1e-6, 0.5))
    assert calm == pytest.approx(zero_state_exponent("GRU", **given), abs=0.01)
    assert calm < 0
    assert wild > 0.3
