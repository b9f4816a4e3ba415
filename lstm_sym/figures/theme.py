"""One style for every figure: sizes, fonts, colours for a light and a dark background.

Figures are made without pyplot, so no display is needed and nothing global is left changed. Colours are those of
Okabe & Ito, which colour-blind readers tell apart; line styles differ too, for print in grey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import cycle
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

#: Widths in inches of one and of two columns of a paper.
COLUMN, PAGE = 3.4, 7.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The same hues, light enough for a dark background.
COLOURS_ON_DARK = ("#56B4E9", "#FF8C42", "#2FC9A0", "#E29BC4", "#F0C04A", "#9AD1F5", "#F2F2F2")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1, 1.2)))
DARK = "#15181c"
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
STYLE_ON_DARK: Any = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), DARK),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.titlecolor", "axes.edgecolor"), "0.92"),
    **dict.fromkeys(("xtick.color", "ytick.color", "patch.edgecolor", "hatch.color"), "0.92"),
}

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def style(dark: bool | None = None) -> Iterator[None]:
    """The package's style, for the length of a with-block: matplotlib's defaults and ``STYLE``.

    dark: on a dark background; None: where the style outside has one (``plt.style.use("dark_background")``).
    """
    dark = is_dark(mpl.rcParams["figure.facecolor"]) if dark is None else dark
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, **(STYLE_ON_DARK if dark else {})})
        yield


def is_dark(colour: Any) -> bool:
    """Whether a colour is nearer to black than to white, by its luminance (Rec. 709)."""
    red, green, blue, _ = to_rgba(colour)
    return bool(0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5)


def on_dark(ax: Axes | Figure) -> bool:
    """Whether an Axes, or a figure, has a dark background."""
    face = ax.get_facecolor()
    if to_rgba(face)[3] < 0.5 and isinstance(ax, Axes):
        return is_dark(ax.figure.get_facecolor())
    return is_dark(face)


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` in the package's style, light or dark as the Axes or Figure that it is given."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Axes | Figure)]
        with style(on_dark(given[0]) if given else None):
            return function(*args, **kwargs)

    return inside


@styled
def panels(
    rows: int = 1, columns: int = 1, width: float = COLUMN, height: float = 2.4, **options: Any
) -> tuple[Figure, Any]:
    """A new figure and its axes, (Figure, array of Axes); sizes in inches; options are those of ``subplots``."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def axes_or_new(ax: Axes | None) -> Axes:
    """``ax``, or the only Axes of a new figure."""
    axes = panels()[1][0, 0] if ax is None else ax
    if not isinstance(axes, Axes):
        raise TypeError(
            f"ax is of type {type(axes).__name__}: expected one matplotlib Axes, or None for a new figure."
        )
    return axes


def colours(ax: Axes) -> tuple[str, ...]:
    """The palette for the background of ``ax``."""
    return COLOURS_ON_DARK if on_dark(ax) else COLOURS


def ink(ax: Axes) -> str:
    """The colour of text and strong lines."""
    return "0.92" if on_dark(ax) else "0.1"


def faint(ax: Axes) -> str:
    """The colour of hairlines, such as the axis through zero."""
    return "0.32" if on_dark(ax) else "0.8"


def guide(ax: Axes, **options: Any) -> dict[str, Any]:
    """How theory is drawn: a thin dashed grey line; ``options`` come on top."""
    colour = "0.65" if on_dark(ax) else "0.45"
    return {"color": colour, "linewidth": 0.7, "linestyle": (0, (2, 2)), "zorder": 1, **options}


def looks(ax: Axes) -> Iterator[tuple[str, Any]]:
    """A colour and a dash for each curve in turn, without end."""
    return zip(cycle(colours(ax)), cycle(DASHES), strict=False)


def note_if_empty(ax: Axes, drawn: bool, what: str) -> None:
    """Say in the figure that there is nothing to draw, unless something was ``drawn``."""
    if not drawn:
        where: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center"}
        text = f"nothing to draw: every {what} is zero or undefined"
        ax.text(0.5, 0.5, text, color=guide(ax)["color"], wrap=True, **where)
