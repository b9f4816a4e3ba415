"""Plots of norms and singular values of gradients, in decades."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from lstm_sym import checks
from lstm_sym.figures.data import by_label, runs_of, series
from lstm_sym.figures.theme import axes_or_new, guide, looks, note_if_empty, styled

#: The decimal logarithm of the smallest normal double.
SMALLEST_DOUBLE = float(np.log10(np.finfo(np.float64).tiny))


def in_decades(logs: ArrayLike) -> NDArray[np.float64]:
    """Natural logs as decimal ones; infinite and undefined ones are left out of a line."""
    decades = np.asarray(logs, dtype=np.float64) / np.log(10.0)
    return np.where(np.isfinite(decades), decades, np.nan)


@styled
def plot_gradient_norms(
    curves: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    slopes: Mapping[str, float] | None = None,
    title: str = "",
) -> Axes:
    """log10 of gradient norms against lag.

    curves: by label, log norms in nats at lags 1, 2, …; (T,), or (runs, T): then the median
        and the range. A vanished norm counts as the least; where the median has vanished the line ends.
    slopes: by the same labels, theoretical slopes in nats per step, drawn as thin guides through the origin.
    """
    ax, drawn = axes_or_new(ax), False
    given, slopes = by_label("curves", curves), by_label("slopes", slopes or {})
    for (label, logs), (colour, dash) in zip(given.items(), looks(ax), strict=False):
        runs = runs_of(f"curves[{label!r}]", logs)
        lags = np.arange(1, runs.shape[1] + 1)
        middle = in_decades(np.median(np.where(np.isnan(runs), -np.inf, runs), axis=0))
        keep = np.isfinite(middle)
        drawn = drawn or bool(keep.any())
        if not keep.any():
            ax.plot([], [], color=colour, linestyle=dash, label=f"{label} (0)")
            continue
        ax.plot(lags[keep], middle[keep], color=colour, linestyle=dash, label=label)
        if len(runs) > 1:
            decades = in_decades(runs[:, keep])
            low, high = np.nanmin(decades, axis=0), np.nanmax(decades, axis=0)
            ax.fill_between(lags[keep], low, high, color=colour, alpha=0.2, linewidth=0)
        if label in slopes:
            slope = checks.real_scalar(f"slopes[{label!r}]", slopes[label]) / np.log(10)
            first = not any(line.get_label() == "theory" for line in ax.lines)
            line = guide(ax, label="theory" if first else "_")
            ax.plot([0, lags[-1]], [0, slope * lags[-1]], **line)
    ax.set(xlabel="lag $k$ (steps)", ylabel=r"$\log_{10}$ gradient norm", title=title)
    note_if_empty(ax, drawn, "norm")
    return ax


@styled
def plot_singular_values(
    spectra: Mapping[str, ArrayLike], ax: Axes | None = None, floor: bool = True, title: str = ""
) -> Axes:
    """log10 σ_i against i/N: the waterfall.

    spectra: by label, log singular values in nats, (N,), descending; −inf is left out.
    floor: mark where ordinary double precision ends, at 10^−308, if the data reach it.
    """
    ax, drawn, lowest = axes_or_new(ax), False, 0.0
    for (label, logs), (colour, dash) in zip(by_label("spectra", spectra).items(), looks(ax), strict=False):
        decades = in_decades(series(f"spectra[{label!r}]", logs))
        place = np.arange(1, len(decades) + 1) / len(decades)
        zeros = int(np.isnan(decades).sum())
        ax.plot(place, decades, color=colour, linestyle=dash, label=label + (f" ({zeros} zero)" if zeros else ""))
        if zeros < len(decades):
            drawn, lowest = True, min(lowest, float(np.nanmin(decades)))
    if floor and lowest < SMALLEST_DOUBLE:
        ax.axhline(SMALLEST_DOUBLE, **guide(ax, label="smallest double"))
    ax.set(xlabel="$i/N$", ylabel=r"$\log_{10}\,\sigma_i$", title=title, xlim=(0, 1.01))
    note_if_empty(ax, drawn, "singular value")
    return ax
