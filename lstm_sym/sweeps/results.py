"""``SweepResult``: arrays with named axes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.sweeps.collecting import DONE, MISSING, Collection, spoken
from lstm_sym.sweeps.evaluating import VALUE
from lstm_sym.sweeps.folders import Folder, as_text
from lstm_sym.sweeps.grids import SEED, Scalar
from lstm_sym.sweeps.settings import Settings

Array = np.ndarray[Any, np.dtype[Any]]
STATUS = "_status"
_A = {"b": "True or False", "i": "an integer", "f": "a number", "c": "a complex number"}


@dataclass(frozen=True)
class Failure:
    """A point that has no values, and why: the exception's type, message and the last lines of its traceback."""

    point: dict[str, Scalar]
    error: str
    message: str
    traceback: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Type and message of the exception."""
        return f"{self.error}: {self.message}" if self.message else self.error

    def __str__(self) -> str:
        return f"{spoken(self.point)}: {self.reason}"


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult:
    """What ``sweep`` has found: arrays over the axes of the grid, the replicates ("seed") and their own axes.

    ``axes``: the values on each axis by name, "seed" last. ``names`` of the results, ``found[name]`` one of them,
    (*axes, seeds, *its own shape), NaN at points that failed or are still missing; "value" if the function gave
    it no name. ``mean(name)`` and ``standard_error(name)`` over the replicates. ``failures``: points and reasons.
    ``done`` of ``total`` points are finished, failed ones included. ``settings``: function, seed, constants, code.

    >>> import lstm_sym as ls
    >>> found = ls.sweep(lambda gain, n: {"sum": gain + n}, {"gain": [0.5, 1.0], "n": [1, 2, 3]})
    >>> found
    sweep of <lambda>: 6 points
      gain   2 values, 0.5 … 1.0
      n      3 values, 1 … 3
      seed   1 value, 0
      sum    a number at each point
    >>> found["sum"].shape, found.mean("sum")[1], found.axes["n"]
    ((2, 3, 1), array([2., 3., 4.]), array([1, 2, 3]))
    """

    arrays: Mapping[str, Array]
    status: Array
    failures: tuple[Failure, ...]
    settings: Settings

    @property
    def axes(self) -> dict[str, Array]:
        """The values on each axis, replicates last."""
        named = {name: np.array(values) for name, values in self.settings.grid.axes.items()}
        return named | {SEED: np.arange(self.settings.grid.seeds)}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the results."""
        return tuple(self.arrays)

    @property
    def total(self) -> int:
        """The number of points."""
        return self.settings.grid.total

    @property
    def done(self) -> int:
        """The number of points that are finished, failed ones included."""
        return int(np.count_nonzero(self.status != MISSING))

    def __getitem__(self, name: str) -> Array:
        if name not in self.arrays:
            raise checks.unknown_name("result", name, self.arrays)
        return self.arrays[name]

    def mean(self, name: str = VALUE) -> Array:
        """Mean over the replicates that have values, (*axes, *shape); NaN where none has."""
        return self._moments(name)[0]

    def standard_error(self, name: str = VALUE) -> Array:
        """Standard error of that mean, s/√n, (*axes, *shape); NaN where fewer than two replicates have values."""
        mean, mask, count = self._moments(name)
        axis = mask.ndim - 1 - (self[name].ndim - self.status.ndim)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            squares = np.abs(self[name] - np.expand_dims(mean, axis)) ** 2
            variance = np.sum(np.where(mask, squares, 0.0), axis) / np.where(count > 1, count - 1, np.nan)
            return np.asarray(np.sqrt(variance / count))

    def _moments(self, name: str) -> tuple[Array, Array, Array]:
        """The mean, which entries count, and how many."""
        values = self[name]
        own = values.ndim - self.status.ndim
        mask = (self.status == DONE).reshape(*self.status.shape, *(1,) * own)
        axis = self.status.ndim - 1
        count = mask.sum(axis)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = np.sum(np.where(mask, values, 0.0), axis)
            return np.asarray(total / np.where(count > 0, count, np.nan)), mask, count

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` with the axes as coordinates; further dimensions of a result are NAME_0, NAME_1, ….

        Raises ImportError, naming the extra, without xarray.
        """
        try:
            import xarray
        except ImportError:
            raise ImportError('to_xarray needs xarray: pip install "lstm-sym[xarray]".') from None
        dimensions = tuple(self.axes)
        variables = {
            name: ((*dimensions, *(f"{name}_{k}" for k in range(array.ndim - len(dimensions)))), array)
            for name, array in self.arrays.items()
        }
        record = self.settings.record()
        attributes = {key: json.dumps(value) for key, value in record.items() if key not in ("axes", "format")}
        return xarray.Dataset(variables, coords=self.axes, attrs=attributes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write PATH.npz (results and axes, for ``numpy.load``) and PATH.json (settings, failures); equal results,
        equal bytes.  Returns the path of the .npz file.
        """
        target = npz(Path(path))
        folder = Folder(target.parent)
        record = self.settings.record() | {"failures": [vars(failure) for failure in self.failures]}
        folder.put(target, {**self.arrays, **self.axes, STATUS: self.status})
        folder.put(target.with_suffix(".json"), as_text(record))
        return target

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> SweepResult:
        """The sweep in a folder, finished or not, or in a file that ``save`` wrote.

        Raises FileNotFoundError if there is none, ValueError if its files are damaged.
        """
        from lstm_sym.sweeps.opening import of_file, of_folder

        target = Path(path)
        return of_folder(target) if target.is_dir() else of_file(npz(target))

    def __repr__(self) -> str:
        """How much is done, the axes, and what there is at each point."""
        grid = self.settings.grid
        width = max(map(len, (*self.axes, *self.names))) + 2
        lines = [f"sweep of {self.settings.function.split('.')[-1]}: {self._progress()}"]
        lines += [f"  {name:<{width}} {_extent(list(values))}" for name, values in grid.axes.items()]
        lines += [f"  {SEED:<{width}} {_extent(list(range(grid.seeds)))}"]
        for name, array in self.arrays.items():
            shape = array.shape[len(grid.shape) :]
            each = f"{shape} of {array.dtype}" if shape else _A[array.dtype.kind]
            lines.append(f"  {name:<{width}} {each} at each point")
        lines += [f"  failed: {failure}" for failure in self.failures[:3]]
        return "\n".join([*lines, *(["  …"] if len(self.failures) > 3 else [])])

    def _progress(self) -> str:
        points = f"{self.total} point{'s' if self.total != 1 else ''}"
        count = points if self.done == self.total else f"{self.done} of {points} done"
        return f"{count}, {len(self.failures)} failed" if self.failures else count


def a_result(settings: Settings, collection: Collection) -> SweepResult:
    """What has been collected, with nothing that could be changed."""
    arrays, status = collection.over_grid(), collection.status.reshape(settings.grid.shape)
    for array in (*arrays.values(), status):
        array.flags.writeable = False
    reasons = sorted(collection.reasons.items())
    failures = tuple(Failure(settings.grid.point(index), *reason) for index, reason in reasons)
    return SweepResult(arrays, status, failures, settings)


def npz(path: Path) -> Path:
    """``path`` with the ending .npz."""
    return path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")


def _extent(values: list[Scalar]) -> str:
    if len(values) == 1:
        return f"1 value, {values[0]}"
    if isinstance(values[0], str):
        shown = values if len(values) <= 4 else [*values[:2], "…", values[-1]]
        return f"{len(values)} values, {', '.join(map(str, shown))}"
    return f"{len(values)} values, {values[0]} … {values[-1]}"
