"""Statistics of products of matrices: differences by index, deviations in standard deviations, distributions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lstm_sym.figures.data import by_label, line, reals, runs_of
from lstm_sym.figures.points import MARKERS
from lstm_sym.figures.theme import axes_or_new, colours, faint, guide, looks, note_if_empty, styled


@styled
def plot_by_index(
    curves: Mapping[str, ArrayLike], ax: Axes | None = None, ylabel: str = "nats", title: str = ""
) -> Axes:
    """Curves of one number for each of N values against i/N, i = 1 … N.

    curves: by label, (N,), or (runs, N): then the median and the range. Infinite values are left out.

    >>> plot_by_index({"T = 10": [1.0, 0.0, -1.0]}).lines[-1].get_xdata().round(2)
    array([0.33, 0.67, 1.  ])
    """
    ax, drawn = axes_or_new(ax), False
    ax.axhline(0.0, color=faint(ax), linewidth=0.5, zorder=0)
    for (label, values), (colour, dash) in zip(by_label("curves", curves).items(), looks(ax), strict=False):
        runs = runs_of(f"curves[{label!r}]", values)
        place = np.arange(1, runs.shape[1] + 1) / runs.shape[1]
        keep = np.isfinite(runs).all(axis=0)
        drawn = drawn or bool(keep.any())
        ax.plot(place[keep], np.median(runs[:, keep], axis=0), color=colour, linestyle=dash, label=label)
        if len(runs) > 1 and keep.any():
            low, high = runs[:, keep].min(axis=0), runs[:, keep].max(axis=0)
            ax.fill_between(place[keep], low, high, color=colour, alpha=0.2, linewidth=0)
    ax.set(xlabel="$i/N$", ylabel=ylabel, title=title, xlim=(0, 1.02))
    note_if_empty(ax, drawn, "value")
    return ax


@styled
def plot_deviations(
    deviations: Mapping[str, ArrayLike], ax: Axes | None = None, band: float = 4.5, title: str = ""
) -> Axes:
    """Deviations from theory in standard deviations, against i/N, with the band within which they must lie.

    deviations: by label, (N,) or (runs, N).

    >>> np.round(plot_deviations({"N = 2": [[0.1, -2.0], [1.0, 0.3]]}).get_ylim(), 6)
    array([-5.4,  5.4])
    """
    ax, largest = axes_or_new(ax), band
    ax.axhspan(-band, band, color=faint(ax), alpha=0.35, linewidth=0, zorder=0)
    ax.axhline(0.0, **guide(ax, label="theory"))
    drawn = False
    marks = zip(cycle(colours(ax)), cycle(MARKERS), strict=False)
    for (label, values), (colour, marker) in zip(by_label("deviations", deviations).items(), marks, strict=False):
        runs = runs_of(f"deviations[{label!r}]", values)
        place = np.broadcast_to(np.arange(1, runs.shape[1] + 1) / runs.shape[1], runs.shape)
        good = np.isfinite(runs)
        drawn = drawn or bool(good.any())
        largest = max(largest, float(np.abs(runs[good]).max(initial=0.0)))
        ax.plot(place[good], runs[good], marker, color=colour, markersize=2.2, markeredgewidth=0, label=label)
    ax.set(
        xlabel="$i/N$", ylabel="deviation (s.d.)", title=title, xlim=(0, 1.02), ylim=(-1.2 * largest, 1.2 * largest)
    )
    note_if_empty(ax, drawn, "deviation")
    return ax


@styled
def plot_distribution(
    samples: ArrayLike,
    ax: Axes | None = None,
    densities: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    labels: tuple[str, str] = ("value", "probability density"),
    title: str = "",
) -> Axes:
    """A histogram of samples, normalised, and densities of theory as lines.

    samples: any shape; infinite ones count for nothing. densities: by label, (x, density).

    >>> ax = plot_distribution([0.0, 1.0, 1.5], densities={"exact": ([0.0, 2.0], [0.5, 0.5])})
    >>> len(ax.lines)
    1
    """
    ax = axes_or_new(ax)
    found, lines = reals("samples", samples).ravel(), by_label("densities", densities or {})
    good = found[np.isfinite(found)]
    if good.size:
        count = int(np.clip(np.sqrt(good.size), 5, 60))
        ax.hist(good, bins=count, density=True, color=colours(ax)[0], alpha=0.45, label="samples")
    for (label, given), (colour, dash) in zip(lines.items(), looks(ax), strict=False):
        ax.plot(*line(f"densities[{label!r}]", given), color=colour, linestyle=dash, label=label)
    ax.set(xlabel=labels[0], ylabel=labels[1], title=title)
    ax.set_ylim(bottom=0.0)
    note_if_empty(ax, bool(good.size), "sample")
    return ax
