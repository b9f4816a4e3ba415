"""A gradient handed back step by step, split by the path that it took off the direct one.

Rows u of G (members, a, S) are kept at one power of two each, together with the parts that have left the direct
path. The direct part, a product of diagonals, has an exponent for every entry: it may fall far below the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.wide import Integers
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.passages import Passages, PathPlan, state_slices

#: Powers of two by which the scale of a row may drift from 1 before it is taken out.
DRIFT = 64
#: Relative to the parts, a sum of this length is their rounding.
CANCELLED = 1e-12
#: The exponent of a number that is zero.
NOTHING = -(2**62)


@dataclass
class Straight:
    """What has gone directly all the way: entries (members, q, S), mantissa × 2^exponent, each with its own.

    Entry (probe, column) stands at (row, column) of G for the triples in ``places``. Where all units of a block
    are asked for at once, q counts blocks: a unit's direct path stays with it, so that a row has one entry a block.
    """

    mantissa: Array
    exponent: Integers
    places: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]

    def step(self, passages: Passages, t: int) -> None:
        """One step further back."""
        mantissa, exponent = np.zeros_like(self.mantissa), np.full_like(self.exponent, NOTHING)
        for row, column, diagonal in passages.straight(t):
            part, carry = wide.split(self.mantissa[..., row] * diagonal)
            power = np.where(part != 0, self.exponent[..., row] + carry, NOTHING)
            top = np.maximum(power, exponent[..., column])
            mantissa[..., column] = wide.scale(mantissa[..., column], exponent[..., column] - top)
            mantissa[..., column] += wide.scale(part, power - top)
            exponent[..., column] = top
        self.mantissa, carry = wide.split(mantissa)
        self.exponent = np.where(self.mantissa != 0, exponent + carry, NOTHING)

    def write(self, out: Array, exponents: Integers) -> None:
        """The entries on the scale of rows × 2^exponents, to ``out`` (members, a, S), which is zero elsewhere."""
        rows, columns, probes = self.places
        power = self.exponent[:, probes, columns] - exponents[:, rows]
        out[:, rows, columns] = wide.scale(self.mantissa[:, probes, columns], power)

    def tops(self, size: int) -> Integers:
        """The largest exponent in each of the ``size`` rows, (members, a)."""
        rows, columns, probes = self.places
        found = np.full((size, len(self.mantissa)), NOTHING)
        np.maximum.at(found, rows, self.exponent[:, probes, columns].T)
        return found.T


class Relay:
    """G of all lags in turn: from the states ``of`` at the end, to the states ``wrt``."""

    def __init__(
        self,
        plan: PathPlan,
        parameters: Parameters,
        of: NDArray[np.intp],
        wrt: NDArray[np.intp],
        members: int,
        probes: Array | None,
    ) -> None:
        spans = list(state_slices(plan.cell, parameters).values())
        size, self.wrt = spans[-1].stop, wrt
        self.straight = _from_blocks(of, spans, members) if probes is None else _from_rows(of, probes, size)
        a = len(of) if probes is None else 1
        self._exponents = np.zeros((members, a), dtype=np.int64)
        self._direct = np.zeros((members, a, size))
        self._alone = np.zeros_like(self._direct)
        self._left = np.zeros((len(plan.labels), members, a, size))
        self._next = np.empty_like(self._left)
        self.straight.write(self._direct, self._exponents)
        self._rows = self._direct.copy()

    def take(self, passages: Passages, t: int, effect: Array | None, tally: Tally) -> None:
        """One step further back, and what there is then at the states ``wrt``: G E, E selecting or ``effect``."""
        passed = self._next
        passages.pull(t, self._rows, passed)
        tally.passing(passed, self._exponents)
        for row, column, diagonal in passages.straight(t):
            passed[1:, ..., column] += self._left[1:, ..., row] * diagonal
        self._left, self._next = passed, self._left
        self.straight.step(passages, t)
        self._sum_up()
        self._left[0] = self._direct
        tally.arrived(_end(self._left, self.wrt, effect), self._exponents)
        reach = self.straight.exponent if effect is not None else self.straight.exponent[..., self.wrt]
        power = reach.max(axis=(1, 2))
        self.straight.write(self._alone, np.broadcast_to(power[:, None], self._exponents.shape))
        tally.direct(_end(self._alone, self.wrt, effect), power)

    def _sum_up(self) -> None:
        """G from its parts, on scales that suit it."""
        size = np.abs(self._left[1:]).max(axis=(0, -1), initial=0.0)
        _, carry = wide.split(size)
        top = np.maximum(self.straight.tops(size.shape[1]), np.where(size > 0, self._exponents + carry, NOTHING))
        drift = np.where(top > NOTHING, top - self._exponents, 0)
        if np.any(np.abs(drift) > DRIFT):
            self._left = wide.scale(self._left, -drift[None, ..., None])
            self._exponents = self._exponents + drift
        self.straight.write(self._direct, self._exponents)
        self._rows = self._direct + self._left[1:].sum(axis=0)


def _end(rows: Array, wrt: NDArray[np.intp], effect: Array | None) -> Array:
    return rows[..., wrt] if effect is None else rows @ effect


def _from_blocks(of: NDArray[np.intp], spans: list[slice], members: int) -> Straight:
    """Every unit of the blocks asked for: the identity."""
    size, asked = spans[-1].stop, [span for span in spans if span.start in of]
    mantissa, places = np.zeros((members, len(asked), size)), []
    for probe, own in enumerate(asked):
        mantissa[:, probe, own] = 0.5
        rows = np.searchsorted(of, np.arange(own.start, own.stop))
        for span in spans:
            columns = np.arange(span.start, span.stop)
            if len(columns) == len(rows):
                places.append((rows, columns, np.full_like(rows, probe)))
    rows, columns, probes = (np.concatenate(part) for part in zip(*places, strict=True))
    return Straight(mantissa, np.where(mantissa != 0, 1, NOTHING), (rows, columns, probes))


def _from_rows(of: NDArray[np.intp], probes: Array, size: int) -> Straight:
    """One row for each member."""
    rows = np.zeros((len(probes), 1, size))
    rows[:, 0, of] = probes
    mantissa, exponent = wide.split(rows)
    every, first = np.arange(size), np.zeros(size, dtype=np.intp)
    return Straight(mantissa, np.where(mantissa != 0, exponent, NOTHING), (first, every, first))


@dataclass
class Tally:
    """Inner products of parts and wholes, of as many lags as there were steps, to be finished all at once."""

    batch: tuple[int, ...]
    _passing: list[Scaled] = field(default_factory=list)
    _arrived: list[Scaled] = field(default_factory=list)
    _direct: list[tuple[Array, Integers]] = field(default_factory=list)

    def passing(self, parts: Array, exponents: Integers) -> None:
        """Parts (paths, members, a, S) × 2^exponents (members, a) of one step's result."""
        self._passing.append(scaled_products(parts, exponents))

    def arrived(self, parts: Array, exponents: Integers) -> None:
        """Parts of G at the states asked for."""
        self._arrived.append(scaled_products(parts, exponents))

    def direct(self, block: Array, exponent: Integers) -> None:
        """The direct part alone, (members, a, n) × 2^exponent (members)."""
        mantissas, extra = wide.normalised(block, axis=(-2, -1))
        self._direct.append((np.einsum("bij,bij->b", mantissas, mantissas), exponent + extra))

    def finished(self) -> dict[str, Array]:
        """The arrays of ``PathShares`` for these lags."""
        shares, norms = _shares(self._arrived)
        squares, exponents = (np.stack(part) for part in zip(*self._direct, strict=True))
        norms[..., 0] = 0.5 * wide.log(squares) + np.where(squares > 0, exponents, 0) * wide.LOG_2
        found = {"shares": shares, "log_norms": norms[..., :-2], "detour": norms[..., -2], "total": norms[..., -1]}
        found["passing"], _ = _shares(self._passing)
        return {name: array.reshape(len(array), *self.batch, *array.shape[2:]) for name, array in found.items()}


#: ⟨part, whole⟩ (paths, members, a); ‖·‖² of the parts, of all but the first, of the whole (paths + 2, members, a);
#: and their common exponent (members, a).
Scaled = tuple[Array, Array, Integers]


def scaled_products(parts: Array, exponents: Integers) -> Scaled:
    """Inner products row by row, of numbers of ordinary size."""
    size = np.abs(parts).max(axis=(0, -1), initial=0.0)
    _, extra = wide.split(size)
    if np.any(np.abs(extra) > 300):
        parts, exponents = wide.scale(parts, -extra[..., None]), exponents + extra
    rest = parts[1:].sum(axis=0)
    whole = parts[0] + rest
    inner = np.einsum("pbij,bij->pbi", parts, whole)
    squares = [np.einsum("pbij,pbij->pbi", some, some) for some in (parts, np.stack([rest, whole]))]
    return inner, np.concatenate(squares), exponents


def _shares(found: list[Scaled]) -> tuple[Array, Array]:
    """Shares (lags, members, paths) and log norms (lags, members, paths + 2), all rows together."""
    inner, squares, exponents = (np.stack(part) for part in zip(*found, strict=True))
    live = (squares > 0).any(axis=1)
    top = np.max(exponents, axis=-1, where=live, initial=NOTHING, keepdims=True)
    weight = wide.scale(np.ones(live.shape), np.where(live, 2 * (exponents - top), NOTHING))
    inner, squares = ((array * weight[:, None]).sum(axis=-1) for array in (inner, squares))
    whole, power = squares[:, -1:], np.where(top > NOTHING, top, 0)[:, None, :, 0]
    heard = np.sqrt(whole) > CANCELLED * np.sqrt(squares[:, :-2]).sum(axis=1, keepdims=True)
    shares = np.divide(inner, whole, out=np.full_like(inner, np.nan), where=heard)
    norms = 0.5 * wide.log(squares) + power * wide.LOG_2
    return np.moveaxis(shares, 1, -1), np.moveaxis(norms, 1, -1)
