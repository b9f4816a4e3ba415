"""What holds for every plot function: Axes in and out, nothing changed, equal bytes, two backgrounds, no data."""

from __future__ import annotations

import inspect

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes

from lstm_sym import figures
from lstm_sym.figures import theme

X = np.linspace(1.0, 2.0, 6)
RUNS = np.stack([-X, -2.0 * X, -1.5 * X])
PLANE = np.outer(X, X) - 2.0

#: Each plot with data to draw, given the numbers as a function of themselves: the same, or all of them lost.
PLOTS = {
    "plot_by_index": lambda f: ((({"a": f(RUNS)}),), {}),
    "plot_deviations": lambda f: (({"a": f(RUNS)},), {}),
    "plot_distribution": lambda f: ((f(RUNS),), {}),
    "plot_eigenvalues": lambda f: (({"a": f(X + 0.5j * X)},), {}),
    "plot_forecast": lambda f: ((X, f(X), {"p": f(X + 1)}), {}),
    "plot_gradient_norms": lambda f: (({"a": f(RUNS)},), {"slopes": {"a": -1.0}}),
    "plot_learning": lambda f: ((X, {"a": f(-RUNS)}), {"guides": {"chance": 2.0}}),
    "plot_lyapunov_spectra": lambda f: (({"a": f(RUNS)},), {"theory": (X - 1, -X)}),
    "plot_path_shares": lambda f: (({"a": f(RUNS)},), {}),
    "plot_phase_diagram": lambda f: ((f(PLANE), X, X), {"lines": {"theory": (X, X)}}),
    "plot_points": lambda f: (({"a": (X, f(RUNS))},), {"theory": {"theory": (X, -X)}}),
    "plot_singular_values": lambda f: (({"a": f(RUNS[0])},), {}),
}
every = pytest.mark.parametrize("name", PLOTS)


def drawn(name, ax=None, change=lambda values: values):
    arguments, options = PLOTS[name](change)
    return getattr(figures, name)(*arguments, ax=ax, **options)


def test_every_plot_function_is_here():
    assert set(PLOTS) == {name for name in figures.__all__ if name.startswith("plot_")}


@every
def test_axes_go_in_and_come_out(name):
    ax = figures.panels()[1][0, 0]
    assert drawn(name, ax) is ax
    assert isinstance(drawn(name), Axes)
    assert inspect.signature(getattr(figures, name)).parameters["ax"].default is None
    assert ax.get_xlabel() or name in ("plot_phase_diagram", "plot_points")


@every
@pytest.mark.parametrize("lost", [np.nan, -np.inf, np.inf], ids=str)
def test_lost_data_still_gives_a_figure_with_a_note(name, lost, tmp_path):
    ax = drawn(name, change=lambda values: np.full_like(values, lost))
    said = " ".join(text.get_text() for text in ax.texts)
    signed_infinity = name == "plot_phase_diagram" and np.isinf(lost)  # it has the colour of its end
    assert signed_infinity or "nothing to draw" in said, said
    figures.save_figure(ax.figure, tmp_path, "lost", kinds=("svg",))


@every
def test_partly_lost_data_are_drawn_without_a_note(name):
    def change(values):
        values = values.copy()
        values.flat[0] = np.nan
        return values

    assert not any("nothing to draw" in text.get_text() for text in drawn(name, change=change).texts)


@every
def test_rcparams_are_left_alone_and_bytes_are_equal(name, tmp_path):
    saved = {}
    for folder, size in (("one", 31.0), ("two", 9.0)):
        (tmp_path / folder).mkdir()
        with mpl.rc_context({"font.size": size, "axes.grid": True}):
            before = dict(mpl.rcParams)
            figures.save_figure(drawn(name).figure, tmp_path / folder, "f", kinds=("pdf", "svg"))
            assert dict(mpl.rcParams) == before
        saved[folder] = [path.read_bytes() for path in sorted((tmp_path / folder).iterdir())]
    assert saved["one"] == saved["two"]
    assert b"<dc:date>" not in saved["one"][1]
    assert b"CreationDate" not in saved["one"][0]


@every
def test_both_backgrounds(name):
    faces = []
    for dark in (False, True):
        with figures.style(dark=dark):
            ax = figures.panels()[1][0, 0]
        drawn(name, ax)
        assert theme.on_dark(ax) is dark
        faces.append({str(line.get_color()) for line in ax.lines})
    assert not faces[0] & faces[1] or name == "plot_distribution", faces


MISTAKES = {
    "no mapping": ("plot_by_index", ([1.0, 2.0],), {}, "curves is of type list: expected a mapping from labels"),
    "three dimensions": (
        "plot_path_shares",
        ({"a": np.zeros((2, 2, 2))},),
        {},
        r"shares\['a'\] has shape \(2, 2, 2\)",
    ),
    "no run": ("plot_lyapunov_spectra", ({"a": np.zeros((0, 3))},), {}, r"has shape \(0, 3\): expected"),
    "x too short": ("plot_points", ({"a": ([1, 2], [1, 2, 3])},), {}, r"3 values, x of curves\['a'\] has 2"),
    "no pair": ("plot_points", ({"a": [1.0, 2.0, 3.0]},), {}, r"curves\['a'\] is of type list: expected a pair"),
    "theory too short": ("plot_points", ({},), {"theory": {"t": ([1], [1, 2])}}, r"theory\['t'\] has 2 values"),
    "density too long": (
        "plot_distribution",
        ([1.0],),
        {"densities": {"d": ([1], [1, 2])}},
        r"densities\['d'\] has 2",
    ),
    "fewer updates": ("plot_learning", ([1], {"a": [1.0, 2.0]}), {}, r"errors\['a'\] has 2 values, updates has 1"),
    "guide": (
        "plot_learning",
        ([1], {"a": [1.0]}),
        {"guides": {"g": [1, 2]}},
        r"guides\['g'\] = .*one real number",
    ),
    "fewer times": ("plot_forecast", ([1], [1.0, 2.0], {}), {}, "observed has 2 values, times has 1"),
    "prediction": ("plot_forecast", ([1], [1.0], {"m": [1, 2]}), {}, r"predictions\['m'\] has 2 values"),
    "several spectra": ("plot_singular_values", ({"a": np.zeros((2, 3))},), {}, "expected one dimension"),
    "text": ("plot_gradient_norms", ({"a": ["x"]},), {}, r"curves\['a'\] has dtype"),
    "complex": ("plot_gradient_norms", ({"a": [1j]},), {}, r"curves\['a'\] has complex numbers"),
    "ragged": ("plot_eigenvalues", ({"a": [[1], [1, 2]]},), {}, r"clouds\['a'\] is not a rectangular"),
    "masked": ("plot_deviations", ({"a": np.ma.array([1.0, 2.0], mask=[0, 1])},), {}, "has masked entries"),
    "no Axes": (
        "plot_by_index",
        ({},),
        {"ax": np.array([1, 2])},
        "ax is of type ndarray: expected one matplotlib Axes",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_in_terms_of_the_argument(mistake):
    name, arguments, options, said = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError), match=said):
        getattr(figures, name)(*arguments, **options)


def test_labels_may_be_numbers():
    ax = figures.plot_gradient_norms({0.9: [-1.0, -2.0]}, slopes={0.9: -1.0})
    assert [line.get_label() for line in ax.lines] == ["0.9", "theory"]
