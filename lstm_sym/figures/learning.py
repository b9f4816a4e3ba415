"""Plots of what changes while a network learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lstm_sym import checks
from lstm_sym.figures.data import by_label, runs_of, series
from lstm_sym.figures.theme import axes_or_new, guide, looks, note_if_empty, styled

#: Where the name of a guide stands: to the right of the axes.
BESIDE: Any = {"textcoords": "offset points", "xytext": (2, 0), "va": "center", "ha": "left", "fontsize": 7}


@styled
def plot_learning(
    updates: ArrayLike,
    errors: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    guides: Mapping[str, float] | None = None,
    labels: tuple[str, str] = ("updates", "mean square error"),
    title: str = "",
) -> Axes:
    """Errors against updates on a logarithmic scale.

    updates: (X,).
    errors: by label, (X,), or (runs, X): then the median and the range; what is not above 0 is left out.
    guides: by label, errors that theory knows, as thin lines across, named at the right.
    labels: of the axes, with units.

    >>> ax = plot_learning([0, 10], {"LSTM": [[1.0, 0.1], [0.5, 0.2]]}, guides={"chance": 0.5})
    >>> len(ax.lines), len(ax.collections), ax.get_yscale()
    (2, 1, 'log')
    """
    ax, drawn = axes_or_new(ax), False
    places = series("updates", updates)
    for (label, values), (colour, dash) in zip(by_label("errors", errors).items(), looks(ax), strict=False):
        runs = runs_of(f"errors[{label!r}]", values, ("updates", places))
        good = np.isfinite(runs) & (runs > 0)
        keep = good.all(axis=0)
        drawn = drawn or bool(keep.any())
        ax.plot(places[keep], np.median(runs[:, keep], axis=0), color=colour, linestyle=dash, label=label)
        if len(runs) > 1 and keep.any():
            low, high = runs[:, keep].min(axis=0), runs[:, keep].max(axis=0)
            ax.fill_between(places[keep], low, high, color=colour, alpha=0.2, linewidth=0)
    ax.set_yscale("log")
    ax.set(xlabel=labels[0], ylabel=labels[1], title=title)
    for label, given in by_label("guides", guides or {}).items():
        value, line = checks.real_scalar(f"guides[{label!r}]", given), guide(ax)
        ax.axhline(value, **line)
        ax.annotate(label, (1, value), xycoords=("axes fraction", "data"), color=line["color"], **BESIDE)
    note_if_empty(ax, drawn, "error")
    return ax
