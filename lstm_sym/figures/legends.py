"""Legends: in an Axes with guides last, or one for several Axes below a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_sym.figures.theme import styled


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
