"""Phase diagrams: a signed quantity over two parameters."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, SymLogNorm, TwoSlopeNorm, to_rgba
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lstm_sym.checks import finite, real_scalar
from lstm_sym.figures.theme import DASHES, axes_or_new, guide, ink, note_if_empty, on_dark, styled

Array = NDArray[np.float64]
#: A line in the plane of two parameters, (x, y).
Line = tuple[ArrayLike, ArrayLike]

#: Blue below zero, orange above, the page's own tone at zero: for a light and for a dark background.
DIVERGING = ("#08306b", "#0072B2", "#8fc3e3", "#f4f4f2", "#f5b88a", "#D55E00", "#7a3200")
DIVERGING_ON_DARK = ("#d3ecfc", "#56B4E9", "#265d7e", "#1b1f24", "#86471c", "#FF8C42", "#ffe0c8")
#: The share of values at either end that may be clipped.
CLIPPED = 0.02
#: Values that are smaller are as good as zero; and the most that logarithmic colours span.
SMALLEST, WIDEST = 1e-200, 1e12
#: Above this share of the height the label of an isoline stands below it.
HIGH = 0.93


@styled
def plot_phase_diagram(
    values: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    lines: Mapping[str, Line] | None = None,
    isolines: Mapping[str, Line] | None = None,
    contour: bool = True,
    linear: float | None = None,
    log: str = "",
    quantity: str = "leading exponent",
    unit: str = "nats per step",
    labels: tuple[str, str] = ("", ""),
    title: str = "",
) -> Axes:
    """A signed quantity over a plane: blue below zero, orange and dotted above, with its zero contour.

    values: (len(x), len(y)), as a sweep over {x, y} gives them; nan is hatched, ±inf has the end's colour.
    x, y: the points, in any order, in any spacing; none twice.
    lines: by label, curves of theory (x, y), dashed, for a legend; isolines: the same, thin, each with its label
        written at its right end.
    contour: draw the zero contour of the data.
    linear: colours are linear up to ±linear and logarithmic beyond; None: linear on both sides, each to its end.
    log: which axes are logarithmic, "x", "y" or "xy".
    quantity, unit: what the colour bar says; labels: those of x and y.

    The largest 2 % on either side may be clipped, which the ends of the colour bar show.

    >>> ax = plot_phase_diagram([[-1.0, 0.5], [0.5, 1.0]], [0.0, 1.0], [0.0, 1.0], labels=("gain", "bias"))
    >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.figure.axes)
    ('gain', 'bias', 2)

    Raises ValueError for a table of another shape, for coordinates that are not finite, there twice, or not
    positive on a logarithmic axis.
    """
    if linear is not None and real_scalar("linear", linear) <= 0:
        raise ValueError(f"linear = {linear:g}: expected a positive number, or None.")
    if set(log) - set("xy"):
        raise ValueError(f"log = {log!r}: expected 'x', 'y', 'xy' or ''.")
    ax = axes_or_new(ax)
    table, x, y = _ordered(values, x, y)
    known = ~np.isnan(table)
    norm, extend = _norm(table, linear)
    across, up = _edges(x, "x" in log), _edges(y, "y" in log)
    ax.set(xlabel=labels[0], ylabel=labels[1], title=title)
    ax.set(**{f"{name}scale": "log" for name in "xy" if name in log})
    ax.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
    if known.any() and not known.all():
        _unknown(ax, across, up, table)
    if known.any():
        shown = np.ma.masked_invalid(np.clip(table, norm.vmin, norm.vmax))
        mesh = ax.pcolormesh(across, up, shown.T, cmap=_colours(ax), norm=norm, rasterized=True, zorder=0.5)
        _colour_bar(ax, mesh, norm, extend, f"{quantity} ({unit})")
        _sides(ax, (x, across), (y, up), shown, contour)
    _draw_lines(ax, lines or {}, isolines or {})
    note_if_empty(ax, bool(known.any()), quantity)
    return ax


# --- parts ------------------------------------------------------------------------------------------------------


def _ordered(values: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array, Array]:
    """The table with both axes ascending, or ValueError."""
    table = np.asarray(values, dtype=np.float64)
    axes = []
    for name, given in (("x", x), ("y", y)):
        points = finite(name, given).astype(np.float64)
        if points.ndim != 1 or not points.size or len(np.unique(points)) < points.size:
            raise ValueError(f"{name} has shape {points.shape}: expected a list of numbers, none of them twice.")
        axes.append(points)
    across, up = axes
    if table.shape != (across.size, up.size):
        raise ValueError(f"values have shape {table.shape}: expected (len(x), len(y)) = {(across.size, up.size)}.")
    return table[np.ix_(np.argsort(across), np.argsort(up))], np.sort(across), np.sort(up)


def _edges(points: Array, log: bool) -> Array:
    """The edges of cells around points, half way between them."""
    if log:
        if points[0] <= 0:
            raise ValueError(f"{points[0]:g} is on a logarithmic axis: expected positive numbers.")
        return np.exp(_edges(np.log(points), log=False))
    if points.size == 1:
        return np.asarray(points + np.array([-0.5, 0.5]))
    middles = 0.5 * (points[1:] + points[:-1])
    return np.concatenate([[2 * points[0] - middles[0]], middles, [2 * points[-1] - middles[-1]]])


def _norm(table: Array, linear: float | None) -> tuple[Any, str]:
    """Colours centred on zero that leave the outermost values out, and which ends of the bar are open."""
    known = table[np.isfinite(table)]
    low, high = (float(np.quantile(side, q)) if side.size else 0.0 for side, q in _tails(known))
    if max(-low, high) < SMALLEST:
        low = high = 0.0
    if linear is None:
        low, high = (low or -0.01 * high or -1.0), (high or -0.01 * low or 1.0)
        norm: Normalize = TwoSlopeNorm(0.0, low, high)
    else:
        high = min(max(-low, high, 2 * linear), linear * WIDEST)
        low, norm = -high, SymLogNorm(linear, linscale=0.5, vmin=-high, vmax=high)
    open_ends = (bool((table < low).any()), bool((table > high).any()))
    return norm, {(True, True): "both", (True, False): "min", (False, True): "max"}.get(open_ends, "neither")


def _tails(known: Array) -> tuple[tuple[Array, float], tuple[Array, float]]:
    return (known[known < 0], CLIPPED), (known[known > 0], 1 - CLIPPED)


def _colours(ax: Axes) -> Colormap:
    tones = DIVERGING_ON_DARK if on_dark(ax) else DIVERGING
    return LinearSegmentedColormap.from_list("exponent", tones, N=256)


def _colour_bar(ax: Axes, mesh: ScalarMappable, norm: Any, extend: str, label: str) -> None:
    bar = ax.figure.colorbar(mesh, ax=ax, extend=extend, pad=0.02, fraction=0.08, aspect=25)
    bar.set_label(label)
    bar.outline.set_linewidth(0.4)
    bar.set_ticks(_symmetric_ticks(norm) if isinstance(norm, SymLogNorm) else _ticks(norm))
    bar.minorticks_off()
    bar.ax.axhline(0.0, color=ink(ax), linewidth=0.8)


def _ticks(norm: Any) -> list[float]:
    """Zero and round numbers on both sides."""
    found = [MaxNLocator(4).tick_values(*ends) for ends in ((norm.vmin, 0.0), (0.0, norm.vmax))]
    return sorted({float(t) for t in np.concatenate(found) if norm.vmin <= t <= norm.vmax})


def _symmetric_ticks(norm: SymLogNorm) -> list[float]:
    """Zero and powers of ten on both sides."""
    first, last = np.ceil(np.log10(norm.linthresh) - 1e-9), np.floor(np.log10(norm.vmax or 1.0) + 1e-9)
    apart = 1 + (last - first) // 6
    powers = [float(10.0**k) for k in np.arange(last, first - 1, -apart)[::-1]]
    return [*(-p for p in reversed(powers)), 0.0, *powers]


def _sides(ax: Axes, x: tuple[Array, Array], y: tuple[Array, Array], shown: Any, contour: bool) -> None:
    """Dots where the value is above zero, which print in grey shows too, and the line between the sides."""
    if min(shown.shape) < 2 or not (shown.min() < 0 < shown.max()):
        return
    across, up = (np.concatenate([edges[:1], points, edges[-1:]]) for points, edges in (x, y))
    place = np.ix_(*(np.clip(np.arange(-1, n + 1), 0, n - 1) for n in shown.shape))
    padded, dots = shown[place].T, to_rgba(ink(ax), 0.55)
    with rc_context({"hatch.color": dots, "hatch.linewidth": 0.3}):
        above = ax.contourf(across, up, padded, [0.0, np.inf], colors="none", hatches=["..."], zorder=0.7)
        above.set(edgecolor=dots, linewidth=0.0)
    if contour:
        ax.contour(across, up, padded, levels=[0.0], colors=[ink(ax)], linewidths=1.1, zorder=2)


def _unknown(ax: Axes, across: Array, up: Array, table: Array) -> None:
    """Hatches where there is no value."""
    tone = guide(ax)["color"]
    cells = [
        Rectangle((across[i], up[j]), across[i + 1] - across[i], up[j + 1] - up[j])
        for i, j in np.argwhere(np.isnan(table))
    ]
    with rc_context({"hatch.color": tone, "hatch.linewidth": 0.6}):
        ax.add_collection(PatchCollection(cells, facecolor="none", edgecolor=tone, hatch="/////", linewidth=0.0))


def _draw_lines(ax: Axes, lines: Mapping[str, Line], isolines: Mapping[str, Line]) -> None:
    page = DIVERGING_ON_DARK[3] if on_dark(ax) else "#ffffff"
    halo = [withStroke(linewidth=2.4, foreground=page, alpha=0.75)]
    box = {"boxstyle": "round,pad=0.12", "facecolor": page, "edgecolor": "none", "alpha": 0.85}  # over the dots
    for (label, (across, up)), dash in zip(lines.items(), cycle(DASHES[1:])):
        line: dict[str, Any] = {
            "color": ink(ax),
            "linestyle": dash,
            "linewidth": 1.3,
            "zorder": 3,
            "path_effects": halo,
        }
        ax.plot(np.asarray(across), np.asarray(up), label=label, **line)
    low, high = ax.get_ylim()
    left, right = ax.get_xlim()
    for label, (across, up) in isolines.items():
        a, b = np.asarray(across, dtype=np.float64), np.asarray(up, dtype=np.float64)
        ax.plot(a, b, color=ink(ax), linewidth=0.5, zorder=2.5)
        inside = np.flatnonzero((a >= left) & (a <= right) & (b >= low) & (b <= high))
        if inside.size:
            end = inside[np.argmax(a[inside])]
            below = ax.transAxes.inverted().transform(ax.transData.transform((a[end], b[end])))[1] > HIGH
            place: dict[str, Any] = {
                "textcoords": "offset points",
                "ha": "right",
                "va": "top" if below else "baseline",
            }
            offset = (-2, -2.5 if below else 2.0)
            ax.annotate(label, (a[end], b[end]), offset, fontsize=6.5, color=ink(ax), bbox=box, **place)
