"""A sweep as a table for the terminal, and as a curve or a map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lstm_sym.sweeps import SweepResult

#: What the quantities are called in a figure, with their units.
LABELS = {
    "exponent": "leading exponent (nats per step)",
    "exponents": "Lyapunov exponents (nats per step)",
    "reach": "log gradient norm (nats)",
    "zero-state": "exponent of the zero state (nats per step)",
}
#: The largest table that is printed.
ROWS, COLUMNS = 40, 12


def table(found: SweepResult, quantity: str) -> Iterator[str]:
    """The means as lines of text: over one axis with standard errors, over two as a matrix; else their range."""
    mean, error = found.mean(), found.standard_error()
    axes = {name: values for name, values in found.axes.items() if name != "seed"}
    first = next(iter(axes.values()))
    yield f"{LABELS[quantity]}, mean of {found.settings.grid.seeds}:"
    if len(axes) == 1 and len(first) <= ROWS and mean.size <= ROWS * COLUMNS:
        yield f"  {next(iter(axes)):>12}  mean ± standard error"
        for value, row, bars in zip(first, _rows(mean), _rows(error), strict=True):
            yield f"  {_text(value):>12}  " + "  ".join(map(_with_error, row, bars))
    elif len(axes) == 2 and mean.ndim == 2 and len(first) <= ROWS and mean.shape[1] <= COLUMNS:
        (down, rows), (across, columns) = axes.items()
        yield f"  {f'{down} ↓ {across} →':>12}" + "".join(f"{_text(value):>10}" for value in columns)
        for value, row in zip(rows, mean, strict=True):
            yield f"  {_text(value):>12}" + "".join(f"{entry:>10.4f}" for entry in row)
    else:
        known = mean[np.isfinite(mean)]
        ends = f"{known.min():.4f} to {known.max():.4f}" if known.size else "none is finite"
        yield f"  {mean.size} values, {ends}; all of them in results.npz"


def draw(found: SweepResult, quantity: str, cell: str, out: Path, dark: bool) -> list[Path]:
    """A curve over one numeric axis, one for each entry or text; a map over two; nothing else.  The files."""
    from lstm_sym.figures import panels, save_figure, style

    axes = {name: values for name, values in found.axes.items() if name != "seed"}
    numeric = [name for name, values in axes.items() if values.dtype.kind in "if" and len(values) > 1]
    others = [name for name, values in axes.items() if values.dtype.kind == "U"]
    if len(axes) > 2 or not numeric or len(numeric) + len(others) < len(axes):
        return []
    with style(dark=dark):
        figure, panel = panels(width=4.2, height=3.0)
        (_map if len(numeric) == 2 else _curves)(found, axes, quantity, cell, panel[0, 0])
        return save_figure(figure, out, "map" if len(numeric) == 2 else "curve")


def _map(found: SweepResult, axes: dict[str, Any], quantity: str, cell: str, ax: Any) -> None:
    from lstm_sym.figures import plot_phase_diagram

    (x, across), (y, up) = axes.items()
    mean = found.mean()
    name, _, unit = LABELS[quantity].removesuffix(")").partition(" (")
    first = "" if mean.ndim == 2 else ", the first of them"
    logs = "".join(letter for letter, values in (("x", across), ("y", up)) if _geometric(values))
    plot_phase_diagram(
        *(mean.reshape(*mean.shape[:2], -1)[..., 0], across, up, ax),
        labels=(x, y),
        quantity=name,
        unit=unit,
        log=logs,
        title=cell + first,
    )


def _curves(found: SweepResult, axes: dict[str, Any], quantity: str, cell: str, ax: Any) -> None:
    """One curve for each value of the other axis, or for each entry of the result, eight at most."""
    from lstm_sym.figures import legend
    from lstm_sym.figures.points import plot_points

    (name,) = [name for name, values in axes.items() if values.dtype.kind != "U"]
    ordered = np.moveaxis(found["value"], list(axes).index(name), 0)
    texts = [str(text) for other in axes if other != name for text in axes[other]]
    if texts:  # (x, texts, seeds, entries): the first entry
        heights = np.moveaxis(ordered.reshape(*ordered.shape[:3], -1)[..., 0], 0, -1)
    else:  # (x, seeds, entries)
        heights = np.moveaxis(ordered.reshape(*ordered.shape[:2], -1), (0, 1), (2, 1))
        texts = _entries(found, quantity, len(heights))
    curves = {text: (axes[name], one) for text, one in zip(texts, heights[:8], strict=False)}
    plot_points(curves, ax, labels=(name, LABELS[quantity]), title=cell)
    if _geometric(axes[name]):
        ax.set_xscale("log")
    if len(curves) > 1:
        legend(ax)


def _entries(found: SweepResult, quantity: str, count: int) -> list[str]:
    """What the entries of one result are called."""
    if quantity != "reach":
        return [f"{k + 1}" for k in range(count)]
    return [f"lag {lag}" for lag in found.settings.constants.get("lags", (1, 10, 100))]


def _geometric(values: Any) -> bool:
    """Whether numbers grow by one factor, and so much that a logarithmic axis serves them."""
    points = np.sort(np.asarray(values, dtype=np.float64))
    if points.size < 3 or points[0] <= 0:
        return False
    steps = np.diff(np.log(points))
    return bool(np.ptp(steps) < 1e-6 * steps[0] and points[-1] > 10 * points[0])


def _rows(values: Any) -> Any:
    return values.reshape(len(values), -1)[:, :COLUMNS]


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{value:.6g}"


def _with_error(value: float, error: float) -> str:
    return f"{value:10.4f} ± {error:.4f}" if np.isfinite(error) else f"{value:10.4f}"
