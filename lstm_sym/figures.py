"""Plots of gradient flow: functions that take data and an Axes and return the Axes, in one style.

Figures are made without pyplot, so no display is needed and nothing global is left changed. Colours are those of
Okabe & Ito, which colour-blind readers tell apart; line styles differ too, for print in grey.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import cycle
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lstm_sym.files import replacing

#: Widths in inches of one and of two columns of a paper.
COLUMN, PAGE = 3.4, 7.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1, 1.2)))
GUIDE: dict[str, Any] = {"color": "0.45", "linewidth": 0.7, "linestyle": (0, (2, 2)), "zorder": 1}
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 220,
    "svg.hashsalt": "lstm_sym",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
#: The decimal logarithm of the smallest normal double.
SMALLEST_DOUBLE = float(np.log10(np.finfo(np.float64).tiny))

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def style() -> Iterator[None]:
    """The package's style, for the length of a with-block: matplotlib's defaults and ``STYLE``."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` in the package's style."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return function(*args, **kwargs)

    return inside


@styled
def panels(
    rows: int = 1, columns: int = 1, width: float = COLUMN, height: float = 2.4, **options: Any
) -> tuple[Figure, Any]:
    """A new figure and its axes, (Figure, array of Axes); sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def _axes(ax: Axes | None) -> Axes:
    axes: Axes = panels()[1][0, 0] if ax is None else ax
    return axes


def _looks() -> Iterator[tuple[str, Any]]:
    return zip(cycle(COLOURS), cycle(DASHES), strict=False)


def _note_if_empty(ax: Axes, drawn: bool, what: str) -> None:
    if not drawn:
        ax.text(
            0.5,
            0.5,
            f"nothing to draw: every {what} is zero or undefined",
            transform=ax.transAxes,
            ha="center",
            va="center",
            color="0.4",
            wrap=True,
        )


def _decades(logs: ArrayLike) -> NDArray[np.float64]:
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
    ax, drawn = _axes(ax), False
    for (label, logs), (colour, dash) in zip(curves.items(), _looks(), strict=False):
        runs = np.atleast_2d(np.asarray(logs, dtype=np.float64))
        lags = np.arange(1, runs.shape[1] + 1)
        middle = _decades(np.median(np.where(np.isnan(runs), -np.inf, runs), axis=0))
        keep = np.isfinite(middle)
        drawn = drawn or bool(keep.any())
        if not keep.any():
            ax.plot([], [], color=colour, linestyle=dash, label=f"{label} (0)")
            continue
        ax.plot(lags[keep], middle[keep], color=colour, linestyle=dash, label=label)
        if len(runs) > 1:
            decades = _decades(runs[:, keep])
            low, high = np.nanmin(decades, axis=0), np.nanmax(decades, axis=0)
            ax.fill_between(lags[keep], low, high, color=colour, alpha=0.2, linewidth=0)
        if slopes and label in slopes:
            first = not any(line.get_label() == "theory" for line in ax.lines)
            guide = {**GUIDE, "label": "theory" if first else "_"}
            ax.plot([0, lags[-1]], [0, slopes[label] * lags[-1] / np.log(10)], **guide)
    ax.set(xlabel="lag $k$ (steps)", ylabel=r"$\log_{10}$ gradient norm", title=title)
    _note_if_empty(ax, drawn, "norm")
    return ax


@styled
def plot_singular_values(
    spectra: Mapping[str, ArrayLike], ax: Axes | None = None, floor: bool = True, title: str = ""
) -> Axes:
    """log10 σ_i against i/N: the waterfall.

    spectra: by label, log singular values in nats, (N,), descending; −inf is left out.
    floor: mark where ordinary double precision ends, at 10^−308, if the data reach it.
    """
    ax, drawn, lowest = _axes(ax), False, 0.0
    for (label, logs), (colour, dash) in zip(spectra.items(), _looks(), strict=False):
        decades = _decades(logs)
        place = np.arange(1, len(decades) + 1) / len(decades)
        zeros = int(np.isnan(decades).sum())
        ax.plot(place, decades, color=colour, linestyle=dash, label=label + (f" ({zeros} zero)" if zeros else ""))
        if zeros < len(decades):
            drawn, lowest = True, min(lowest, float(np.nanmin(decades)))
    if floor and lowest < SMALLEST_DOUBLE:
        ax.axhline(SMALLEST_DOUBLE, **GUIDE, label="smallest double")
    ax.set(xlabel="$i/N$", ylabel=r"$\log_{10}\,\sigma_i$", title=title, xlim=(0, 1.01))
    _note_if_empty(ax, drawn, "singular value")
    return ax


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
    ax = _axes(ax)
    ax.plot(times, observed, "o", color="0.35", markersize=2.2, label="observed")
    for (label, values), (colour, dash) in zip(predictions.items(), _looks(), strict=False):
        ax.plot(times, values, color=colour, linestyle=dash, label=label)
    ax.set(xlabel=labels[0], ylabel=labels[1], title=title)
    _note_if_empty(ax, bool(np.isfinite(np.asarray(observed, dtype=float)).any()), "value")
    return ax


@styled
def legend(ax: Axes, **options: Any) -> None:
    """A legend in ``ax``, guides last; ``options`` are those of ``Axes.legend``."""
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: labels[k] == "theory")
    ax.legend([handles[k] for k in order], [labels[k] for k in order], **options)


@styled
def legend_below(figure: Figure, axes: Sequence[Axes], columns: int = 4) -> None:
    """One legend for several axes under the figure, each label once."""
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)


@styled
def save_figure(
    figure: Figure, folder: str | os.PathLike[str], name: str, kinds: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write ``name``.png and .pdf (or .svg) into ``folder``, whole or not at all; equal data gives equal bytes."""
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}
    paths = []
    for kind in kinds:
        target = Path(folder) / f"{name}.{kind}"
        with replacing(target) as temporary:
            figure.savefig(temporary, format=kind, metadata=undated[kind])
        paths.append(target)
    return paths
