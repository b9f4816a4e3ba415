"""What a script leaves behind: the figure, the numbers drawn, and a record of how they came about."""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_sym import __version__
from lstm_sym.checks import numeric
from lstm_sym.figures import save_figure, style
from lstm_sym.files import replacing, write_text

SUFFIXES = (".png", ".pdf", ".npz", ".json")
#: The blocks of a script's docstring.
BLOCKS = ("claim", "methods", "figure", "landmark")


@dataclass(frozen=True)
class Outcome:
    """What a script has found.

    draw: draws the figure, anew at every call, in the style around it (light or dark).
    arrays: by label, the numbers that are drawn, and whatever else is worth keeping.
    parameters: what they depend on, besides the script's own numbers, which are recorded in any case.
    equations: by label, the LaTeX of the equations involved.
    """

    draw: Callable[[], Figure]
    arrays: Mapping[str, ArrayLike]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    equations: Mapping[str, str] = field(default_factory=dict)


def described(document: str | None) -> dict[str, str]:
    """The title of a script and its claim, methods, figure and landmark, from its docstring.

    >>> described("Reach: how far.\\n\\nClaim.    It is\\n          short.\\nMethods.  Norms.")["claim"]
    'It is short.'
    """
    text = document or ""
    found = {"title": text.strip().partition("\n")[0]}
    starts = re.split(rf"^({'|'.join(name.capitalize() for name in BLOCKS)})s?\.", text, flags=re.MULTILINE)
    found |= {name.lower(): " ".join(body.split()) for name, body in zip(starts[1::2], starts[2::2], strict=True)}
    return found


def targets(out: Path, name: str, dark: bool) -> list[Path]:
    """The files that a script writes."""
    return [out / f"{name}{suffix}" for suffix in (*SUFFIXES, *([".dark.png"] if dark else []))]


def save(out: Path, name: str, outcome: Outcome, record: Mapping[str, Any], dark: bool) -> list[Path]:
    """Write NAME.png and .pdf, NAME.dark.png if asked for, NAME.npz (the numbers drawn) and NAME.json.

    Equal results give equal bytes.  The record comes last: where it is, the others are.
    """
    numbers: dict[str, Any] = {key: numeric(key, value) for key, value in outcome.arrays.items()}
    with style(dark=False):
        paths = save_figure(outcome.draw(), out, name)
    if dark:
        with style(dark=True):
            paths += save_figure(outcome.draw(), out, f"{name}.dark", kinds=("png",))
    else:
        (out / f"{name}.dark.png").unlink(missing_ok=True)  # of an earlier run: it shows other numbers
    with replacing(out / f"{name}.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **numbers)
    text = json.dumps(plain(record), indent=2, allow_nan=False, ensure_ascii=False)
    return [*paths, out / f"{name}.npz", write_text(out / f"{name}.json", text + "\n")]


def plain(value: Any) -> Any:
    """``value`` as JSON has it: NumPy's numbers and arrays as Python's, numbers that are not finite as None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def versions() -> dict[str, str]:
    """The versions that the numbers depend on."""
    import matplotlib
    import scipy
    import sympy

    found = {module.__name__: str(module.__version__) for module in (sympy, np, scipy, matplotlib)}
    return {"python": platform.python_version(), "lstm_sym": __version__, **found}
