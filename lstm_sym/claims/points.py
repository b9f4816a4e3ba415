"""Random points: consecutive steps of a cell of given size, every quantity in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.claims.binding import OLDEST
from lstm_sym.functions import Array
from lstm_sym.kernels import Kernel
from lstm_sym.kernels.parameters import axis_sizes
from lstm_sym.notation import lag_of, lagged

#: (hidden size, scale of all numbers, seed); at scale 3 gates are moderately saturated.
POINTS = tuple((n, scale, 3 * k + n) for k in range(3) for n in (2, 3, 5) for scale in (0.5, 1.0, 3.0))


@dataclass(frozen=True, eq=False)
class Point:
    """Every quantity of some consecutive steps: vectors by name, o_prev for those of the step before."""

    cell: Cell
    seed: int
    sizes: Mapping[str, int]
    values: Mapping[str, Array]

    def __str__(self) -> str:
        hidden, *others = self.sizes.items()
        rest = f" ({', '.join(f'{name} {size}' for name, size in others)})" if others else ""
        return f"n = {hidden[1]}{rest}, seed {self.seed}"


@lru_cache(maxsize=1024)
def point(cell: Cell, n: int, scale: float, seed: int) -> Point:
    """Parameters, inputs and first states of one decimal digit, and ``OLDEST`` + 1 steps from there."""
    names = dict.fromkeys(cell.sizes.values())
    first = "hidden" if "hidden" in names else next(iter(names))
    others = iter(range(n + 1, n + 1 + len(names)))
    sizes = {first: n} | {name: next(others) for name in names if name != first}
    rng = np.random.default_rng(seed)
    parameters = {}
    for name in cell.parameters:
        shape = tuple(sizes[axis] for axis in axis_sizes(cell, name))
        parameters[name] = _constant(rng) if name in cell.constants else _digits(rng, scale, *shape)
    kernel = _kernel(cell)
    state = np.concatenate([_digits(rng, scale, sizes[cell.sizes[name]]) for name in cell.states])
    values: dict[str, Any] = dict(parameters)
    for lag in range(OLDEST, -1, -1):
        x = np.concatenate([_digits(rng, scale, sizes[cell.sizes[name]]) for name in cell.inputs])
        step = kernel.evaluate(parameters, x, state)
        state = np.concatenate([step[name] for name in cell.states])
        values |= {lagged(name, lag): array for name, array in step.items() if name not in parameters}
    return Point(cell, seed, sizes, {name: np.asarray(value) for name, value in values.items()})


@lru_cache(maxsize=32)
def _kernel(cell: Cell) -> Kernel:
    return Kernel(cell)


def points(cell: Cell) -> Iterator[Point]:
    """The points at which claims are compared, the smallest first."""
    return (point(cell, *where) for where in POINTS)


def _digits(rng: np.random.Generator, scale: float, *shape: int) -> Array:
    """Numbers ± 0.1 … 1.2 times ``scale``."""
    return np.asarray(scale * 0.1 * rng.integers(1, 13, shape) * rng.choice([-1.0, 1.0], shape))


def _constant(rng: np.random.Generator) -> Array:
    return np.asarray(rng.integers(2, 10) / 13)


class Values(Mapping[str, Array]):
    """What a claimed function is called with: every quantity of a step, ``v.c_prev`` or ``v["c_prev"]``."""

    def __init__(self, point: Point) -> None:
        self._cell = point.cell.name
        self._values = {name: array.copy() for name, array in point.values.items()}

    def __getitem__(self, name: str) -> Array:
        if name not in self._values:
            raise unknown_name(f"quantity of {self._cell}", name, [name for name in self if lag_of(name)[1] < 2])
        return self._values[name]

    def __getattr__(self, name: str) -> Array:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        """The names of this step, and those of older ones behind."""
        return iter(sorted(self._values, key=lambda name: lag_of(name)[1]))

    def __len__(self) -> int:
        return len(self._values)
