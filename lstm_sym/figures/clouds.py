"""Eigenvalues in the complex plane: clouds, the discs that theory gives, and the unit circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from lstm_sym import checks
from lstm_sym.figures.data import by_label
from lstm_sym.figures.points import MARKERS
from lstm_sym.figures.theme import axes_or_new, colours, faint, guide, ink, note_if_empty, styled

#: An eigenvalue of less magnitude is a zero.
ZERO = 1e-9
#: Clouds of more than this are drawn with smaller points.
MANY = 100


@styled
def plot_eigenvalues(
    clouds: Mapping[str, ArrayLike],
    ax: Axes | None = None,
    background: ArrayLike | None = None,
    discs: Sequence[tuple[float, float]] = (),
    title: str = "",
) -> Axes:
    """Clouds of eigenvalues, with the unit circle as a hairline and the discs of theory dashed.

    clouds: by label, complex numbers of any shape; zeros (|λ| < 1e-9) are one cross with their number beside it.
    background: more of them, drawn below and pale, as those along a trajectory.
    discs: (centre, radius) of each.

    >>> ax = plot_eigenvalues({"zero state": [0.5 + 0.1j, 0.5 - 0.1j, 0.0]}, discs=[(0.5, 0.25)])
    >>> [text.get_text() for text in ax.texts]
    ['1 zero']
    """
    ax = axes_or_new(ax)
    ax.add_patch(Circle((0.0, 0.0), 1.0, fill=False, edgecolor=faint(ax), linewidth=0.7, zorder=0))
    pale = _finite("background", [] if background is None else background)
    shade = guide(ax)["color"]
    if pale.size:
        ax.plot(
            pale.real,
            pale.imag,
            ".",
            color=shade,
            markersize=1.6,
            markeredgewidth=0,
            alpha=0.5,
            label="along a run",
            zorder=1,
        )
    zeros, drawn = 0, bool(pale.size)
    marks = zip(cycle(colours(ax)), cycle(MARKERS), strict=False)
    for (label, values), (colour, marker) in zip(by_label("clouds", clouds).items(), marks, strict=False):
        found = _finite(f"clouds[{label!r}]", values)
        away = found[np.abs(found) >= ZERO]
        zeros, drawn = zeros + len(found) - len(away), drawn or bool(found.size)
        size = 2.0 if away.size <= MANY else 1.5
        ax.plot(
            away.real, away.imag, marker, color=colour, markersize=size, markeredgewidth=0, label=label, zorder=2
        )
    if zeros:
        ax.plot([0.0], [0.0], "x", color=ink(ax), markersize=4, markeredgewidth=0.9, zorder=4)
        ax.annotate(
            f"{zeros} zero{'s' * (zeros > 1)}",
            (0.0, 0.0),
            (0, -17),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7,
        )
    for centre, radius in discs:
        line = guide(ax, zorder=3)
        line["edgecolor"] = line.pop("color")
        ax.add_patch(Circle((centre, 0.0), radius, fill=False, **line))
    ax.set(xlabel=r"Re $\lambda$", ylabel=r"Im $\lambda$", title=title)
    ax.set_aspect("equal", adjustable="box")
    note_if_empty(ax, drawn, "eigenvalue")
    return ax


def _finite(what: str, values: ArrayLike) -> NDArray[np.complex128]:
    found = np.asarray(checks.numeric(what, values), dtype=np.complex128).ravel()
    return found[np.isfinite(found)]
