"""Plots of Lyapunov spectra: all exponents of networks of different sizes on one axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from lstm_sym.figures.data import by_label, line, runs_of
from lstm_sym.figures.theme import axes_or_new, guide, looks, note_if_empty, styled

Array = NDArray[np.float64]


def shares(size: int) -> Array:
    """(i − ½)/N, i = 1 … N: the share of all exponents that the i-th one stands for the middle of.

    >>> shares(4)
    array([0.125, 0.375, 0.625, 0.875])
    """
    return (np.arange(size) + 0.5) / size


@styled
def plot_lyapunov_spectra(
    spectra: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    *,
    theory: tuple[ArrayLike, ArrayLike] | None = None,
    ylabel: str = "Lyapunov exponent (nats per step)",
    title: str = "",
) -> Axes:
    """Exponents against i/N: those of networks of different sizes fall onto one curve.

    spectra: by label, (N,), or (seeds, N): then the mean and, as a band, one standard deviation to either side; N
        may differ from label to label. What is not finite is left out.
    theory: (shares, exponents), drawn thin and dashed over the data.

    >>> ax = plot_lyapunov_spectra({"N = 4": [-0.1, -0.3, -0.6, -1.3]})
    >>> ax.lines[0].get_xdata()
    array([0.125, 0.375, 0.625, 0.875])
    """
    ax, drawn = axes_or_new(ax), False
    for (label, given), (colour, dash) in zip(by_label("spectra", spectra).items(), looks(ax), strict=False):
        runs = runs_of(f"spectra[{label!r}]", given)
        keep = np.isfinite(runs).all(axis=0)
        drawn = drawn or bool(keep.any())
        place, kept = shares(runs.shape[1])[keep], runs[:, keep]
        middle, spread = (kept.mean(axis=0), kept.std(axis=0, ddof=1)) if len(runs) > 1 else (kept[0], 0.0)
        missing = int((~keep).sum())
        ax.plot(place, middle, color=colour, linestyle=dash, label=label + (f" ({missing} −∞)" if missing else ""))
        if len(runs) > 1:
            ax.fill_between(place, middle - spread, middle + spread, color=colour, alpha=0.2, linewidth=0)
    if theory is not None:
        across, up = line("theory", theory)
        good = np.isfinite(up)
        ax.plot(across[good], up[good], **guide(ax, label="theory", linewidth=1.0, zorder=3))
    ax.set(xlabel="$i/N$", ylabel=ylabel, title=title, xlim=(0, 1))
    note_if_empty(ax, drawn, "exponent")
    return ax
