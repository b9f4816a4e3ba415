"""What tells points apart: the names of their files, and the keys of their random numbers.

A point is the arguments that its call gets, wherever they were given, and its replicate.  So its file is found and
its random numbers are the same in any grid that contains it, however many workers there are, in whatever order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lstm_sym.sweeps.grids import Grid


def digest(value: Any) -> bytes:
    """SHA-256 of a JSON value; keys sorted."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).digest()


class Identities:
    """Digests of the points of a grid; ``origin`` is whatever else a digest should depend on."""

    def __init__(
        self,
        grid: Grid,
        constants: Mapping[str, Any],
        origin: Any,
        plain: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self.grid = grid
        self._start = digest(origin)
        places = {name: k for k, name in enumerate(grid.axes)}
        self._parts: list[tuple[int | None, list[bytes]]] = []  # place on the grid, digests of the values there
        for name in sorted({*grid.axes, *constants}):
            values = grid.axes[name] if name in places else (constants[name],)
            self._parts.append((places.get(name), [digest([name, plain(value)]) for value in values]))

    def __call__(self, index: int) -> bytes:
        """The digest of point ``index``, 32 bytes."""
        place = self.grid.place(index)
        parts = [digests[0 if axis is None else place[axis]] for axis, digests in self._parts]
        return hashlib.sha256(b"".join([self._start, *parts, b"%d" % place[-1]])).digest()


def keys(grid: Grid, constants: Mapping[str, Any], paired: bool) -> Callable[[int], bytes]:
    """The keys of the points' random numbers; ``paired``: the replicate alone decides."""
    if paired:
        alone = [digest(["paired", replicate]) for replicate in range(grid.seeds)]
        return lambda index: alone[index % grid.seeds]
    return Identities(grid, constants, "rng", _as_number)


def generator(seed: int, key: bytes) -> np.random.Generator:
    """The random numbers of a point: ``seed`` with its key.

    >>> a, again, b = (generator(1, digest(name)).random() for name in "aab")
    >>> a == again != b
    True
    """
    words = tuple(int.from_bytes(key[k : k + 4], "little") for k in range(0, len(key), 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=words)))


def _as_number(value: Any) -> Any:
    """Numbers that are equal have the same random numbers, whether written 1 or 1.0."""
    if isinstance(value, list):
        return [_as_number(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
