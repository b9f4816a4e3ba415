"""Plot functions: what is drawn where, nothing global changed, equal data gives equal bytes."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose

from lstm_sym import figures
from lstm_sym.figures import theme

LOGS = -np.arange(1.0, 51.0)


def test_gradient_norms_are_drawn_in_decades_with_their_theory():
    ax = figures.plot_gradient_norms({"a": LOGS, "b": [LOGS, 3 * LOGS, 2 * LOGS]}, slopes={"a": -1.0}, title="t")
    first, guide, middle = ax.lines
    assert_allclose(first.get_ydata(), LOGS / np.log(10))
    assert_allclose(first.get_xdata(), np.arange(1, 51))
    assert_allclose(middle.get_ydata(), 2 * LOGS / np.log(10))
    assert_allclose(guide.get_ydata()[-1], -50 / np.log(10))
    assert [line.get_label() for line in ax.lines] == ["a", "theory", "b"]
    assert "(steps)" in ax.get_xlabel()
    assert len(ax.collections) == 1


def test_singular_values_far_below_the_smallest_double():
    ax = figures.plot_singular_values({"deep": np.linspace(0.0, -5000.0, 11)})
    assert_allclose(ax.lines[0].get_ydata()[-1], -5000 / np.log(10))
    assert_allclose(ax.lines[0].get_xdata(), np.arange(1, 12) / 11)
    assert_allclose(ax.lines[1].get_ydata(), np.log10(np.finfo(float).tiny))
    assert len(figures.plot_singular_values({"shallow": LOGS}).lines) == 1


def test_curves_differ_in_colour_and_in_grey():
    ax = figures.plot_gradient_norms({str(k): LOGS for k in range(4)})
    assert len({line.get_color() for line in ax.lines}) == 4
    assert len({str(line.get_linestyle()) + str(line._unscaled_dash_pattern) for line in ax.lines}) == 4


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_nothing_to_draw_is_said_in_the_figure(value, tmp_path):
    figure, axes = figures.panels(1, 2)
    figures.plot_gradient_norms({"gone": np.full(9, value)}, axes[0, 0])
    figures.plot_singular_values({"gone": np.full(9, value)}, axes[0, 1])
    for ax in axes[0]:
        assert "nothing to draw" in ax.texts[0].get_text()
    figures.legend_below(figure, list(axes[0]))
    assert all(path.stat().st_size > 1000 for path in figures.save_figure(figure, tmp_path, "empty"))


def test_zeros_are_counted_in_the_label():
    ax = figures.plot_singular_values({"half": [-1.0, -2.0, -np.inf, -np.inf]})
    assert ax.lines[0].get_label() == "half (2 zero)"


def draw():
    figure, axes = figures.panels(1, 2, width=figures.PAGE)
    figures.plot_gradient_norms({"a": LOGS}, axes[0, 0], slopes={"a": -1.0})
    figures.plot_forecast(np.arange(50), LOGS, {"p": LOGS + 1}, axes[0, 1], labels=("year", "count"))
    figures.legend(axes[0, 0], loc="lower left")
    return figure


def test_equal_data_gives_equal_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        figures.save_figure(draw(), tmp_path / folder, "f", kinds=("png", "pdf", "svg"))
    for kind in ("png", "pdf", "svg"):
        assert (tmp_path / "one" / f"f.{kind}").read_bytes() == (tmp_path / "two" / f"f.{kind}").read_bytes()


def test_rcparams_and_pyplot_are_left_alone(tmp_path, monkeypatch):
    with mpl.rc_context({"font.size": 31.0, "lines.linewidth": 9.0}):
        before = dict(mpl.rcParams)
        figure = draw()
        figures.save_figure(figure, tmp_path, "f")
        assert dict(mpl.rcParams) == before
        assert figure.axes[0].xaxis.label.get_size() == 8
        assert figure.axes[0].lines[0].get_linewidth() == 1.2


def test_axes_go_in_and_come_out():
    _, axes = figures.panels()
    assert figures.plot_gradient_norms({"a": LOGS}, axes[0, 0]) is axes[0, 0]
    assert isinstance(figures.plot_singular_values({"a": LOGS}), Axes)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        figures.save_figure(draw(), tmp_path / "none", "f")


def test_the_median_counts_runs_that_have_vanished():
    gone = np.full(50, -np.inf)
    ax = figures.plot_gradient_norms({"a": [LOGS, gone, gone], "b": [LOGS, 2 * LOGS, gone]})
    assert ax.lines[0].get_label() == "a (0)"
    assert_allclose(ax.lines[1].get_ydata(), 2 * LOGS / np.log(10))


def contrast(one, other):
    """The contrast ratio of the Web Content Accessibility Guidelines, from 1 to 21."""

    def luminance(colour):
        rgb = np.asarray(mpl.colors.to_rgb(colour))
        return np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_follow_the_background(tmp_path):
    light = figures.panels()[1][0, 0]
    with figures.style(dark=True):
        figure, axes = figures.panels()
        dark = axes[0, 0]
        assert theme.on_dark(figure)
    assert mpl.rcParams["figure.facecolor"] == "white"
    for ax, palette in ((light, theme.COLOURS), (dark, theme.COLOURS_ON_DARK)):
        figures.plot_gradient_norms({"a": LOGS}, ax, title="t")
        assert ax.lines[0].get_color() == palette[0]
        assert figures.colours(ax) == palette
    figures.legend(dark)
    assert contrast(dark.get_legend().get_texts()[0].get_color(), figure.get_facecolor()) > 10
    figures.save_figure(figure, tmp_path, "dark")


def test_a_dark_style_outside_is_followed():
    with mpl.rc_context({"figure.facecolor": "black"}):
        assert figures.colours(figures.plot_gradient_norms({"a": LOGS})) == theme.COLOURS_ON_DARK


@pytest.mark.parametrize(("dark", "palette"), [(False, "COLOURS"), (True, "COLOURS_ON_DARK")])
def test_every_colour_stands_out_from_its_background(dark, palette):
    with figures.style(dark=dark):
        ax = figures.panels()[1][0, 0]
    for colour in (*getattr(theme, palette)[:4], figures.ink(ax)):
        assert contrast(colour, ax.figure.get_facecolor()) > 2.8
