"""Measured points with error bars, and the theory beside them as thin dashed lines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from lstm_sym.figures.data import by_label, line, pair, runs_of, series
from lstm_sym.figures.theme import axes_or_new, colours, guide, note_if_empty, styled

#: A marker for each curve in turn: they differ in grey as well.
MARKERS = ("o", "s", "^", "D", "v", "P")


def mean_and_error(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean over runs of values (runs, X), and its standard error: 0 for a single run; infinite ones left out.

    >>> mean_and_error([[1.0, 2.0], [3.0, 2.0]])
    (array([2., 2.]), array([1., 0.]))
    """
    runs = np.atleast_2d(np.asarray(values, dtype=np.float64))
    good = np.isfinite(runs)
    count = np.maximum(good.sum(axis=0), 1)
    kept = np.where(good, runs, 0.0)
    mean = np.where(good.any(axis=0), kept.sum(axis=0) / count, np.nan)
    squares = np.where(good, (kept - mean) ** 2, 0.0).sum(axis=0)
    return mean, np.sqrt(squares / np.maximum(count - 1, 1) / count)


@styled
def plot_points(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    ax: Axes | None = None,
    theory: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    labels: tuple[str, str] = ("", ""),
    title: str = "",
) -> Axes:
    """Means and standard errors over runs against x, and the theory.

    curves: by label, (x, values), values (X,) or (runs, X); what is not finite is left out.
    theory: by label, (x, values), lines; a label that begins with "_" is not in the legend.
    labels: of the axes, with units.

    >>> ax = plot_points({"a": ([0, 1], [[1.0, 2.0], [3.0, 2.0]])}, theory={"theory": ([0, 1], [2, 2])})
    >>> len(ax.lines), len(ax.collections)
    (2, 1)
    """
    ax, drawn = axes_or_new(ax), False
    marks = zip(cycle(colours(ax)), cycle(MARKERS), strict=False)
    for (label, given), (colour, marker) in zip(by_label("curves", curves).items(), marks, strict=False):
        what = f"curves[{label!r}]"
        x, values = pair(what, given)
        across = series(f"x of {what}", x)
        mean, error = mean_and_error(runs_of(what, values, (f"x of {what}", across)))
        keep = np.isfinite(mean)
        drawn = drawn or bool(keep.any())
        if not keep.any():
            ax.plot([], [], marker, color=colour, markersize=3, label=f"{label} (none)")
            continue
        places = across[keep]
        ax.vlines(places, (mean - error)[keep], (mean + error)[keep], color=colour, linewidth=0.8)
        ax.plot(places, mean[keep], marker, color=colour, markersize=2.6, label=label, zorder=3)
    for label, given in by_label("theory", theory or {}).items():
        ax.plot(*line(f"theory[{label!r}]", given), **guide(ax, label=label, zorder=2))
    ax.set(xlabel=labels[0], ylabel=labels[1], title=title)
    note_if_empty(ax, drawn, "value")
    return ax
