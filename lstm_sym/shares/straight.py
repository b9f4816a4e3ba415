"""The part of a gradient that has gone directly all the way: products of diagonals, of any magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.wide import Integers
from lstm_sym.functions import Array

#: Powers of two by which a scale may drift from 1 before it is taken out.
DRIFT = 64
#: The exponent of a number that is zero.
NOTHING = -(2**62)

#: The direct path of a step: (columns of a new state, of an entering state, diagonal).
Moves = Sequence[tuple[slice, slice, Any]]


@dataclass
class Straight:
    """Entries (members, q, S), mantissa × 2^exponent; entry (probe, column) stands at (row, column) of G.

    ``places`` are these triples (row, column, probe). Where all units of a block are asked for at once, q counts
    blocks: a unit's direct path stays with it, so that a row of G has one entry a block. A unit has one exponent
    for all states between which it can go directly.
    """

    mantissa: Array
    exponent: Integers
    places: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]

    def step(self, moves: Moves) -> None:
        """One step further back."""
        found = np.zeros_like(self.mantissa)
        for new, old, diagonal in moves:
            found[..., old] += self.mantissa[..., new] * diagonal
        self.mantissa = found
        size = np.abs(found)
        if size.max(initial=0.0) > 2.0**DRIFT or size.min(where=size > 0, initial=1.0) < 2.0**-DRIFT:
            self._rescale(moves)

    def _rescale(self, moves: Moves) -> None:
        """Bring every unit's entries to the order of 1."""
        for group in _connected(moves):
            _, drift = wide.split(np.max([np.abs(self.mantissa[..., span]) for span in group], axis=0))
            for span in group:
                self.mantissa[..., span] = wide.scale(self.mantissa[..., span], -drift)
                self.exponent[..., span] += drift

    def write(self, out: Array, exponents: Integers) -> None:
        """The entries on the scale of rows × 2^exponents, to ``out`` (members, a, S), which is zero elsewhere."""
        written(out, self.mantissa, self.exponent, self.places, exponents)

    def tops(self, rows: int) -> Integers:
        """The largest power of two in each of the ``rows``, (members, rows)."""
        place, columns, probes = self.places
        found = np.full((rows, len(self.mantissa)), NOTHING)
        np.maximum.at(found, place, powers(self.mantissa, self.exponent)[:, probes, columns].T)
        return found.T


def powers(mantissa: Array, exponent: Integers) -> Integers:
    """The power of two just above each number."""
    _, carry = wide.split(mantissa)
    return np.where(mantissa != 0, exponent + carry, NOTHING)


def written(out: Array, mantissa: Array, exponent: Integers, places: Any, exponents: Integers) -> None:
    """mantissa × 2^exponent (..., q, S) on the scale of rows × 2^exponents (..., a), to out (..., a, S)."""
    rows, columns, probes = places
    power = exponent[..., probes, columns] - exponents[..., rows]
    out[..., rows, columns] = wide.scale(mantissa[..., probes, columns], power)


def _connected(moves: Moves) -> list[list[slice]]:
    """The states between which there is a direct way."""
    groups: list[list[slice]] = []
    for new, old, _ in moves:
        joined = [group for group in groups if new in group or old in group]
        rest = [group for group in groups if group not in joined]
        spans = [span for group in joined for span in group]
        spans += [span for span in (new, old) if span not in spans]
        groups = [*rest, list({(span.start, span.stop): span for span in spans}.values())]
    return groups


def from_blocks(of: NDArray[np.intp], spans: Sequence[slice], members: int) -> Straight:
    """Every unit of the blocks ``of``: the identity."""
    size, asked = spans[-1].stop, [span for span in spans if span.start in of]
    mantissa, places = np.zeros((members, len(asked), size)), []
    for probe, own in enumerate(asked):
        mantissa[:, probe, own] = 1.0
        rows = np.searchsorted(of, np.arange(own.start, own.stop))
        for span in spans:
            columns = np.arange(span.start, span.stop)
            if len(columns) == len(rows):
                places.append((rows, columns, np.full_like(rows, probe)))
    rows, columns, probes = (np.concatenate(part) for part in zip(*places, strict=True))
    return Straight(mantissa, np.zeros(mantissa.shape, dtype=np.int64), (rows, columns, probes))


def from_rows(of: NDArray[np.intp], cotangents: Array, size: int) -> Straight:
    """One row for each member, the ``cotangents`` (members, n_of)."""
    mantissa = np.zeros((len(cotangents), 1, size))
    mantissa[:, 0, of] = cotangents
    every, first = np.arange(size), np.zeros(size, dtype=np.intp)
    return Straight(mantissa, np.zeros(mantissa.shape, dtype=np.int64), (first, every, first))
