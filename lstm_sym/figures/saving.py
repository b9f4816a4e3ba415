"""Figures as files: whole or not at all, and the same bytes for the same data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from lstm_sym.figures.theme import styled
from lstm_sym.files import replacing

#: No dates and no versions in the files.
UNDATED: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
    "png": {"Software": None},
}


@styled
def save_figure(
    figure: Figure, folder: str | os.PathLike[str], name: str, kinds: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write ``name``.png and .pdf (or .svg) into ``folder``, whole or not at all; equal data gives equal bytes."""
    paths = []
    for kind in kinds:
        target = Path(folder) / f"{name}.{kind}"
        with replacing(target) as temporary:
            figure.savefig(temporary, format=kind, metadata=UNDATED[kind])
        paths.append(target)
    return paths
