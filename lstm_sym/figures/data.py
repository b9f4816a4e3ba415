"""The data of a plot, checked: a mistake is named in terms of the argument, before matplotlib trips over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym import checks

Array = NDArray[np.float64]


def by_label(what: str, given: Any) -> dict[str, Any]:
    """A mapping from labels to data, labels as text; TypeError else.

    >>> by_label("curves", {0.9: [1.0, 2.0]})
    {'0.9': [1.0, 2.0]}
    """
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise TypeError(f'{what} is of type {kind}: expected a mapping from labels to data, as {{"LSTM": values}}.')
    return {str(label): values for label, values in given.items()}


def reals(what: str, given: Any) -> Array:
    """An array of real numbers, of any shape; they may be infinite or undefined."""
    array = checks.numeric(what, given)
    if array.dtype.kind == "c":
        raise TypeError(f"{what} has complex numbers: expected real ones.")
    return np.asarray(array, dtype=np.float64)


def series(what: str, given: Any, like: tuple[str, Array] | None = None) -> Array:
    """An array (N,), as long as the one that is named in ``like``."""
    array = np.atleast_1d(reals(what, given))
    if array.ndim != 1:
        raise ValueError(f"{what} has shape {array.shape}: expected one dimension.")
    if like is not None and len(array) != len(like[1]):
        raise ValueError(f"{what} has {len(array)} values, {like[0]} has {len(like[1])}: expected as many.")
    return array


def runs_of(what: str, given: Any, like: tuple[str, Array] | None = None) -> Array:
    """Runs of a curve, (runs, N), from (N,) or (runs, N), as long as the one that is named in ``like``.

    >>> runs_of("curves['LSTM']", [1, 2, 3]).shape
    (1, 3)
    """
    runs = np.atleast_2d(reals(what, given))
    if runs.ndim != 2 or not len(runs):
        raise ValueError(f"{what} has shape {runs.shape}: expected (N,) or (runs, N), with at least one run.")
    if like is not None and runs.shape[1] != len(like[1]):
        raise ValueError(f"{what} has {runs.shape[1]} values, {like[0]} has {len(like[1])}: expected as many.")
    return runs


def pair(what: str, given: Any) -> tuple[Any, Any]:
    """Two things, as x and y are."""
    if not (isinstance(given, tuple | list) and len(given) == 2):
        raise TypeError(f"{what} is of type {type(given).__name__}: expected a pair (x, values).")
    return given[0], given[1]


def line(what: str, given: Any) -> tuple[Array, Array]:
    """A line (x, values), both (N,)."""
    x, values = pair(what, given)
    across = series(f"x of {what}", x)
    return across, series(what, values, (f"x of {what}", across))
