"""The outcomes of points, gathered into arrays over the whole grid as they come, in whatever order."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.sweeps.evaluating import VALUE, Outcome, Reason, Values
from lstm_sym.sweeps.grids import SEED, Grid, Scalar

Array = np.ndarray[Any, np.dtype[Any]]

#: What is known of a point.
MISSING, DONE, FAILED = 0, 1, 2


def spoken(point: dict[str, Scalar]) -> str:
    """A point in words.

    >>> spoken({"gain": 0.5, "cell": "LSTM", "seed": 2})
    'gain = 0.5, cell = LSTM, seed 2'
    """
    words = [f"{name} = {value}" for name, value in point.items() if name != SEED]
    return ", ".join([*words, f"{SEED} {point[SEED]}"])


class Collection:
    """Flat arrays (points, *shape) by name, the status of every point, and the reasons of those that failed."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.status = np.zeros(grid.total, dtype=np.uint8)
        self.arrays: dict[str, Array] = {}
        self.reasons: dict[int, Reason] = {}
        self.done = 0
        self._first: int | None = None

    def check(self, index: int, outcome: Outcome) -> None:
        """ValueError if the names or shapes at a point are not those at the points before it."""
        if isinstance(outcome, Reason):
            return
        if self._first is None:
            if both := {*self.grid.axes, SEED} & set(outcome):
                raise ValueError(f"the function returns {both.pop()!r}, which is an axis: give it another name.")
            for array in outcome.values():
                checks.fits("the results of the sweep", self.grid.total, *array.shape)
            return
        if _shapes(outcome) != {name: array.shape[1:] for name, array in self.arrays.items()}:
            here, there = spoken(self.grid.point(index)), spoken(self.grid.point(self._first))
            before = {name: array.shape[1:] for name, array in self.arrays.items()}
            raise ValueError(
                f"at {here} the function returned {_told(_shapes(outcome))}, at {there} {_told(before)}: "
                "expected the same names and shapes at all points."
            )

    def add(self, index: int, outcome: Outcome) -> None:
        """Take in the outcome of one point; a later one replaces an earlier one."""
        self.check(index, outcome)
        self.done += self.status[index] == MISSING
        self.reasons.pop(index, None)
        if isinstance(outcome, Reason):
            self.status[index], self.reasons[index] = FAILED, outcome
            return
        if self._first is None:
            self._first = index
            self.arrays = {name: np.zeros((self.grid.total, *a.shape), a.dtype) for name, a in outcome.items()}
        for name, value in outcome.items():
            kind = np.result_type(self.arrays[name], value)
            if kind != self.arrays[name].dtype:
                self.arrays[name] = self.arrays[name].astype(kind)
            self.arrays[name][index] = value
        self.status[index] = DONE

    def over_grid(self) -> dict[str, Array]:
        """The arrays (*axes, seeds, *shape) in order of name, NaN at the points that have no values."""
        found = {}
        gaps = self.status != DONE
        for name, array in sorted((self.arrays or {VALUE: np.zeros(self.grid.total)}).items()):
            if gaps.any():
                array = array.astype(np.result_type(array, np.float64))
                array[gaps] = np.nan
            found[name] = array.reshape(*self.grid.shape, *array.shape[1:])
        return found


def _shapes(values: Values) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in values.items()}


def _told(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" if shape else f"{name} (a number)" for name, shape in sorted(shapes.items()))
