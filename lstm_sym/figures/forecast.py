"""Plots of a series and of what a network predicts of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lstm_sym.figures.data import by_label, series
from lstm_sym.figures.theme import axes_or_new, guide, looks, note_if_empty, styled


@styled
def plot_forecast(
    times: ArrayLike,
    observed: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    labels: tuple[str, str] = ("time", "value"),
    title: str = "",
) -> Axes:
    """A series (T,) and one-step-ahead predictions of it; ``labels`` are those of the axes, with units."""
    ax, across = axes_or_new(ax), series("times", times)
    along = ("times", across)
    seen = series("observed", observed, along)
    ax.plot(across, seen, "o", color=guide(ax)["color"], markersize=2.2, label="observed")
    for (label, values), (colour, dash) in zip(
        by_label("predictions", predictions).items(), looks(ax), strict=False
    ):
        ax.plot(across, series(f"predictions[{label!r}]", values, along), color=colour, linestyle=dash, label=label)
    ax.set(xlabel=labels[0], ylabel=labels[1], title=title)
    note_if_empty(ax, bool(np.isfinite(seen).any()), "value")
    return ax
