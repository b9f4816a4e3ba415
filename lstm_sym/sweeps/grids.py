"""What a sweep runs over: named axes, and replicates.  A *point* is one value of each axis and one replicate."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym import checks

#: Sweeps over more points than this are refused.
MOST_POINTS = 10**7
#: The name of the axis of replicates, and of the random numbers of a point.
SEED, RNG = "seed", "rng"

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Grid:
    """``axes`` by name, and the number of replicates ``seeds``; points are numbered in C order, replicates last.

    >>> grid = Grid({"gain": (0.5, 1.0), "cell": ("LSTM", "RNN")}, seeds=3)
    >>> grid.shape, grid.total, grid.values(4), grid.point(4)
    ((2, 2, 3), 12, (0.5, 'RNN'), {'gain': 0.5, 'cell': 'RNN', 'seed': 1})
    """

    axes: dict[str, tuple[Scalar, ...]]
    seeds: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, replicates last."""
        return (*map(len, self.axes.values()), self.seeds)

    @property
    def total(self) -> int:
        """The number of points."""
        return math.prod(self.shape)

    def place(self, index: int) -> tuple[int, ...]:
        """Where on each axis, replicates last, point ``index`` is."""
        places = []
        for length in reversed(self.shape):
            index, place = divmod(index, length)
            places.append(place)
        return tuple(reversed(places))

    def values(self, index: int) -> tuple[Scalar, ...]:
        """Point ``index``: its value on each axis, without the replicate."""
        return tuple(axis[k] for axis, k in zip(self.axes.values(), self.place(index)[:-1], strict=True))

    def point(self, index: int) -> dict[str, Scalar]:
        """Point ``index`` by name, the replicate as "seed"."""
        return {**dict(zip(self.axes, self.values(index), strict=True)), SEED: index % self.seeds}


def a_grid(axes: Any, seeds: Any) -> Grid:
    """The checked grid: Python's own numbers, homogeneous axes; TypeError or ValueError else."""
    if not isinstance(axes, Mapping):
        raise TypeError(f"grid = {axes!r}: expected a mapping from names to sequences of values.")
    replicates = checks.integer("seeds", seeds)
    if replicates < 1:
        raise ValueError(f"seeds = {replicates}: expected an integer of at least 1, the replicates of each point.")
    lengths = [
        len(values) for values in axes.values() if hasattr(values, "__len__") and getattr(values, "ndim", 1) != 0
    ]
    if math.prod(lengths) * replicates > MOST_POINTS:
        listing = " × ".join(map(str, [*lengths, replicates]))
        raise ValueError(
            f"the grid has {listing} = {math.prod(lengths) * replicates:,} points: at most {MOST_POINTS:,}."
        )
    return Grid({a_name(name): an_axis(name, values) for name, values in axes.items()}, replicates)


def a_name(name: Any) -> str:
    """``name`` as that of an argument which a caller may set."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"grid or constants: {name!r} is not the name of an argument.")
    if name in (SEED, RNG):
        meant = "the axis of replicates: give seeds=" if name == SEED else "what each point's random numbers are"
        raise ValueError(f"grid or constants: {name!r} is {meant}. Choose another name.")
    return name


def an_axis(name: str, values: Any) -> tuple[Scalar, ...]:
    """The values of one axis: all numbers (floats if any is), all booleans or all strings; no two alike."""
    what = f"grid[{name!r}]"
    several = isinstance(values, Sequence) or hasattr(values, "__array__")
    if not several or isinstance(values, str | bytes) or getattr(values, "ndim", 1) != 1:
        raise TypeError(f"{what} = {values!r}: expected a one-dimensional sequence of numbers or strings.")
    if len(values) == 0:
        raise ValueError(f"{what} is empty: expected at least one value.")
    plain = [a_scalar(f"{what}[{k}]", value) for k, value in enumerate(values)]
    kinds = {_kind(value) for value in plain}
    if len(kinds) > 1:
        raise TypeError(f"{what} mixes {' and '.join(sorted(kinds))}: expected values of one kind.")
    if any(isinstance(value, float) for value in plain):
        plain = [float(value) for value in plain]
    seen: dict[Scalar, int] = {}
    for k, value in enumerate(plain):
        if seen.setdefault(value, k) != k:
            raise ValueError(f"{what} has {value!r} twice, at {seen[value]} and {k}.")
    return tuple(plain)


def a_scalar(what: str, value: Any) -> Scalar:
    """``value`` as Python's own bool, int, float or str; numbers finite, integers within 64 bits."""
    if np.ma.is_masked(value):
        raise ValueError(f"{what} is masked: expected a value.")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return a_scalar(what, value[()])
    if isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"{what} = {value}: expected an integer within 64 bits.")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{what} is {value}: expected finite numbers.")
        return float(value)
    raise TypeError(f"{what} = {reprlib.repr(value).splitlines()[0]}: expected a number, a boolean or a string.")


def a_constant(name: str, value: Any) -> Any:
    """``value`` as JSON has it: None, a scalar, or (nested) lists of them."""
    what = f"constants[{name!r}]"
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [a_constant(name, item) for item in value]
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError(f"{what} is an array: give a list, as {name}.tolist() is, which can be recorded.")
    return a_scalar(what, value)


def constants_of(constants: Any, grid: Grid) -> dict[str, Any]:
    """The checked constants, none of which is an axis as well."""
    if constants is None:
        return {}
    if not isinstance(constants, Mapping):
        raise TypeError(f"constants = {constants!r}: expected a mapping from names to values.")
    checked = {a_name(name): a_constant(name, value) for name, value in constants.items()}
    if both := [name for name in checked if name in grid.axes]:
        raise ValueError(f"{both[0]!r} is in the grid and among the constants: give it once.")
    return checked


def _kind(value: Scalar) -> str:
    return "booleans" if isinstance(value, bool) else "strings" if isinstance(value, str) else "numbers"
