"""A gradient handed back step by step, split by the path that it took off the direct one.

Rows of G (members, a, S) are kept at one power of two each, together with the parts that have left the direct path;
the direct part may fall far below them, and is kept apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.wide import Integers
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.passages import Passages, PathPlan, state_slices
from lstm_sym.shares.straight import DRIFT, NOTHING, from_blocks, from_rows, powers, written

#: Relative to the parts, a sum of this length is their rounding.
CANCELLED = 1e-12
#: Powers of two within which squares are summed as they are.
ORDINARY = 300


class Relay:
    """G of all lags in turn: from the states ``of`` at the end, to the states ``wrt``."""

    def __init__(
        self,
        plan: PathPlan,
        parameters: Parameters,
        of: NDArray[np.intp],
        wrt: NDArray[np.intp],
        members: int,
        cotangents: Array | None,
    ) -> None:
        spans = list(state_slices(plan.cell, parameters).values())
        size, rows = spans[-1].stop, len(of) if cotangents is None else 1
        self.shape = (len(plan.labels), members, rows, size)
        self._wrt = wrt
        self._straight = from_blocks(of, spans, members) if cotangents is None else from_rows(of, cotangents, size)
        self._exponents: Integers = np.zeros((members, rows), dtype=np.int64)
        self._left = np.zeros(self.shape)
        self._straight.write(self._left[0], self._exponents)
        self._rows = self._left[0].copy()

    def back(self, passages: Passages, steps: int, effects: Array | None) -> dict[str, Array]:
        """So many steps further back, the latest first: the arrays of ``PathShares`` for their lags.

        ``effects`` (steps, members, S, n): what wrt does to the state of its own step; None: selected from it.
        """
        members, rows = self.shape[1:3]
        passed, left = np.zeros((2, steps, *self.shape))
        before, after = np.empty((2, steps, members, rows), dtype=np.int64)
        direct = np.empty((steps, *self._straight.mantissa.shape))
        scale = np.empty(direct.shape, dtype=np.int64)
        for k in range(steps):
            before[k] = self._exponents
            self._take(passages, steps - 1 - k, passed[k], left[k])
            after[k], direct[k], scale[k] = self._exponents, self._straight.mantissa, self._straight.exponent
        effects = None if effects is None else effects[::-1]
        shares, norms = shares_and_norms(self._end(left, effects), after)
        norms[..., 0] = self._direct_norms(direct, scale, effects)
        passing, _ = shares_and_norms(passed, before)
        return {
            "shares": shares,
            "log_norms": norms[..., :-2],
            "detour": norms[..., -2],
            "total": norms[..., -1],
            "passing": passing,
        }

    def _take(self, passages: Passages, t: int, passed: Array, left: Array) -> None:
        """One step: what each path hands back, and what has left by each, both (paths, members, a, S) and zero."""
        moves = passages.straight(t)
        passages.pull(t, self._rows, passed)
        left[1:] = passed[1:]
        for new, old, diagonal in moves:
            left[1:, ..., old] += self._left[1:, ..., new] * diagonal
        self._straight.step(moves)
        self._left = left
        self._sum_up()
        _, drift = wide.split(np.abs(self._rows).max(axis=-1))
        if np.any(np.abs(drift) > DRIFT) or not self._rows.any(axis=-1).all():
            self._rescale()
            self._sum_up()

    def _sum_up(self) -> None:
        """G from its parts, the direct one in its place among them."""
        self._straight.write(self._left[0], self._exponents)
        self._rows = self._left.sum(axis=0)

    def _rescale(self) -> None:
        """Bring the largest part of every row to the order of 1."""
        _, carry = wide.split(size := np.abs(self._left[1:]).max(axis=(0, -1), initial=0.0))
        top = np.maximum(self._straight.tops(size.shape[1]), np.where(size > 0, self._exponents + carry, NOTHING))
        drift = np.where(top > NOTHING, top - self._exponents, 0)
        self._left[1:] = wide.scale(self._left[1:], -drift[None, ..., None])
        self._exponents = self._exponents + drift

    def _end(self, rows: Array, effects: Array | None) -> Array:
        """What is at the states ``wrt``: (steps, ..., members, a, n)."""
        if effects is None:
            return rows[..., self._wrt]
        return np.asarray(rows @ (effects if rows.ndim == 4 else effects[:, None]))

    def _direct_norms(self, mantissa: Array, exponent: Integers, effects: Array | None) -> Array:
        """Log norms of the direct part alone, (steps, members)."""
        reach = powers(mantissa, exponent)
        top = (reach if effects is not None else reach[..., self._wrt]).max(axis=(-2, -1))
        alone = np.zeros((len(mantissa), *self.shape[1:]))
        written(alone, mantissa, exponent, self._straight.places, np.repeat(top[..., None], self.shape[2], axis=-1))
        block, extra = wide.normalised(self._end(alone, effects), axis=(-2, -1))
        power = np.where(top > NOTHING, top + extra, 0)
        return np.asarray(0.5 * wide.log(np.sum(block**2, axis=(-2, -1))) + power * wide.LOG_2)


def shares_and_norms(parts: Array, exponents: Integers) -> tuple[Array, Array]:
    """⟨part, whole⟩/‖whole‖² (steps, members, paths) and log norms, of parts (steps, paths, members, a, n) × 2^….

    The norms are those of the parts, of all but the first together, and of the whole: (steps, members, paths + 2).
    The ``exponents`` (steps, members, a) are of rows.
    """
    _, extra = wide.split(np.abs(parts).max(axis=(1, -1), initial=0.0))
    if np.any(np.abs(extra) > ORDINARY):
        parts, exponents = wide.scale(parts, -extra[:, None, ..., None]), exponents + extra
    rest = parts[:, 1:].sum(axis=1)
    whole = parts[:, 0] + rest
    inner = np.einsum("kpbij,kbij->kpbi", parts, whole)
    squares = np.stack([*_squares(np.moveaxis(parts, 1, 0)), *_squares(np.stack([rest, whole]))], axis=1)
    live = (squares > 0).any(axis=1)
    top = np.max(exponents, axis=-1, where=live, initial=NOTHING, keepdims=True)
    weight = wide.scale(np.ones(live.shape), np.where(live, 2 * (exponents - top), NOTHING))
    inner, squares = ((array * weight[:, None]).sum(axis=-1) for array in (inner, squares))
    every, power = squares[:, -1:], np.where(top > NOTHING, top, 0)[:, None, :, 0]
    heard = np.sqrt(every) > CANCELLED * np.sqrt(squares[:, :-2]).sum(axis=1, keepdims=True)
    shares = np.divide(inner, every, out=np.full_like(inner, np.nan), where=heard)
    norms = 0.5 * wide.log(squares) + power * wide.LOG_2
    return np.moveaxis(shares, 1, -1), np.moveaxis(norms, 1, -1)


def _squares(rows: Array) -> Array:
    """The squared lengths of rows (..., n)."""
    return np.asarray(np.einsum("...j,...j->...", rows, rows))
