"""Shares of a gradient by the path that carries it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lstm_sym.figures.data import by_label, runs_of
from lstm_sym.figures.theme import axes_or_new, faint, looks, note_if_empty, styled


@styled
def plot_path_shares(shares: Mapping[str, ArrayLike], ax: Axes | None = None, title: str = "") -> Axes:
    """Shares of a gradient against lag, on a logarithmic axis: the median over runs and the range.

    shares: by label, the share at lags 1, 2, …; (K,), or (runs, K). Signed: those of all paths add up to 1. What is
        undefined (nan, where the gradient is zero) is left out.

    >>> ax = plot_path_shares({"direct": [1.0, 0.5, 0.2], "through h": [0.0, 0.5, 0.8]})
    >>> ax.get_xscale(), len(ax.lines)
    ('log', 4)
    """
    ax, drawn = axes_or_new(ax), False
    for level in (0.0, 1.0):
        ax.axhline(level, color=faint(ax), linewidth=0.5, zorder=0)
    for (label, values), (colour, dash) in zip(by_label("shares", shares).items(), looks(ax), strict=False):
        runs = runs_of(f"shares[{label!r}]", values)
        keep = np.isfinite(runs).any(axis=0)
        drawn = drawn or bool(keep.any())
        if not keep.any():
            ax.plot([], [], color=colour, linestyle=dash, label=f"{label} (none)")
            continue
        lags, kept = np.arange(1, runs.shape[1] + 1)[keep], np.where(np.isfinite(runs), runs, np.nan)[:, keep]
        ax.plot(lags, np.nanmedian(kept, axis=0), color=colour, linestyle=dash, label=label)
        if len(kept) > 1:
            low, high = np.nanmin(kept, axis=0), np.nanmax(kept, axis=0)
            ax.fill_between(lags, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.set_xscale("log")
    ax.set(xlabel="lag $k$ (steps)", ylabel="share of the gradient", title=title)
    note_if_empty(ax, drawn, "share")
    return ax
