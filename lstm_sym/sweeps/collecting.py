"""The outcomes of points, gathered into arrays over the whole grid as they come, in whatever order."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.sweeps.evaluating import VALUE, Outcome, Reason
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
        self._shapes: dict[str, tuple[int, ...]] = {}

    def check(self, index: int, outcome: Outcome) -> None:
        """ValueError if the names or shapes at a point are not those at the first one."""
        if isinstance(outcome, Reason):
            return
        shapes = {name: array.shape for name, array in outcome.items()}
        if self._first is None:
            self._first, self._shapes = index, shapes
            if both := sorted({*self.grid.axes, SEED} & shapes.keys()):
                raise ValueError(f"the function returns {both[0]!r}, which is an axis: give it another name.")
            for shape in shapes.values():
                checks.fits("the results of the sweep", self.grid.total, *shape)
        if shapes != self._shapes:
            here, there = spoken(self.grid.point(index)), spoken(self.grid.point(self._first))
            raise ValueError(
                f"at {here} the function returned {_told(shapes)}, at {there} {_told(self._shapes)}: "
                "expected the same names and shapes at all points."
            )

    def add(self, index: int, outcome: Outcome) -> None:
        """Take in the outcome of one point, which has been checked; a later one replaces an earlier one."""
        self.done += int(self.status[index] == MISSING)
        self.reasons.pop(index, None)
        if isinstance(outcome, Reason):
            self.status[index], self.reasons[index] = FAILED, outcome
            return
        self.status[index] = DONE
        for name, value in outcome.items():
            array = self.arrays.get(name)
            if array is None:
                array = self.arrays[name] = np.zeros((self.grid.total, *value.shape), value.dtype)
            elif array.dtype != value.dtype:
                array = self.arrays[name] = array.astype(np.result_type(array, value), copy=False)
            array[index] = value

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


def _told(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" if shape else f"{name} (a number)" for name, shape in sorted(shapes.items()))
