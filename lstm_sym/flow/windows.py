"""A window of a chain: the factors of some steps, as a tangent action and, where needed, as matrices."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain
from lstm_sym.flow.system import Array

#: Below this share of its length, what a row of J adds to the others is better taken from R of J = L R.
PARALLEL = 1e-4
#: Steps whose dense factors are made together where some step needs them, at most, and the entries they may have.
DENSE, ENTRIES = 32, 2**17

Scaled = tuple[Array, wide.Integers]


class Tangents(Protocol):
    """J_t v and J_tᵀ u for the steps t = 0, 1, … of a window, on rows (..., k, S)."""

    def push(self, t: int, rows: Array, out: Array | None = None, /) -> Array:
        """J_t v for each row v."""

    def pull(self, t: int, rows: Array, out: Array | None = None, /) -> Array:
        """J_tᵀ u for each row u."""

    def flops(self, k: int, /) -> float:
        """Floating-point operations of one step on k rows, over the whole batch."""


class Dense:
    """The tangent action of Jacobians (T, ..., S, S) at hand."""

    def __init__(self, jacobians: Array) -> None:
        self._jacobians = jacobians

    def push(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_t v for each of the ``rows`` (..., k, S)."""
        return np.asarray(np.matmul(rows, np.swapaxes(self._jacobians[t], -1, -2), out=out))

    def pull(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_tᵀ u for each of the ``rows`` (..., k, S)."""
        return np.asarray(np.matmul(rows, self._jacobians[t], out=out))

    def flops(self, k: int) -> float:
        """2 k S² for every member of the batch."""
        return float(2 * k * math.prod(self._jacobians.shape[1:]))


class Window:
    """The factors of the steps ``start`` … ``stop`` − 1, counted from 0 in the order in which they are taken.

    Going backwards, a factor is the transpose of a Jacobian, the last step's first.
    """

    def __init__(self, chain: Chain, start: int, stop: int, width: int = 1) -> None:
        self.chain, self.start, self.stop = chain, start, stop
        self._width = width
        self._dense: tuple[int, Array] | None = None
        self._flops: dict[int, float] = {}
        self._applied: tuple[int, list[list[Scaled]]] | None = None

    def __len__(self) -> int:
        return self.stop - self.start

    def time(self, place: int) -> int:
        """The step of the window, from its start, that is taken as number ``place``."""
        return len(self) - 1 - place if self.chain.backwards else place

    def times(self, first: int, last: int) -> slice:
        """The same for the numbers ``first`` … ``last`` − 1 (as a set)."""
        return slice(len(self) - last, len(self) - first) if self.chain.backwards else slice(first, last)

    @cached_property
    def tangents(self) -> Tangents:
        """The system's own tangent action where it has one, but for small states, else its Jacobians."""
        run = self.chain.trajectory
        if not self.chain.tangential:
            return Dense(self.chain.jacobians(self.start, self.stop))
        inputs, before = run.inputs[self.start : self.stop], run.before(self.start, self.stop)
        make: Any = run.system.tangents  # type: ignore[attr-defined]
        made: Tangents = make(run.parameters, inputs, before, self._width)
        return made

    @cached_property
    def effects(self) -> Array | None:
        """E_wrt before each step, in order of time; None for plain selection."""
        return self.chain.effects(self.start, self.stop)

    def flops(self, k: int) -> float:
        """Floating-point operations of one step on k rows, over the whole batch."""
        if k not in self._flops:
            self._flops[k] = self.tangents.flops(k)
        return self._flops[k]

    def act(self, place: int, rows: Array, out: Array | None = None) -> Array:
        """The factor applied to each of the ``rows`` (..., k, size)."""
        t = self.time(place)
        return self.tangents.pull(t, rows, out) if self.chain.backwards else self.tangents.push(t, rows, out)

    def matrix(self, place: int) -> Scaled:
        """The factor as one matrix, entries of ordinary size × 2^exponent."""
        t = self.time(place)
        first, jacobians = self._jacobians(t)
        jacobian = jacobians[t - first]
        return scaled(np.swapaxes(jacobian, -1, -2) if self.chain.backwards else jacobian)

    def factors(self, place: int) -> list[Scaled]:
        """The matrices to apply in turn, entries of ordinary size × 2^exponent.

        A step is one factor, J or its transpose; or the two of J = L R, where the system can tell them and the rows
        of J are so nearly dependent that they hold less than R does.
        """
        t = self.time(place)
        first, jacobians = self._jacobians(t)
        if self._applied is None or self._applied[0] != first:
            begin = self.start + first
            self._applied = (first, applied(self.chain, begin, begin + len(jacobians), jacobians))
        return self._applied[1][t - first]

    def _jacobians(self, t: int) -> tuple[int, Array]:
        """The Jacobians of the steps about step t of the window, in order of time, and the first of those steps."""
        together = max(1, min(DENSE, ENTRIES // max(1, math.prod(self.chain.batch) * self.chain.size**2)))
        first = t - t % together
        if self._dense is None or self._dense[0] != first:
            begin = self.start + first
            self._dense = (first, self.chain.jacobians(begin, min(self.stop, begin + together)))
        return self._dense


def applied(chain: Chain, start: int, stop: int, jacobians: Array) -> list[list[Scaled]]:
    """The factors of the steps start … stop − 1, in order of time, see ``Window.factors``."""
    whole = [[pair] for pair in _pairs(jacobians, chain.backwards)]
    split = getattr(chain.trajectory.system, "factors", None)
    if split is None or not chain.complete:
        return whole
    run = chain.trajectory
    factors = split(run.parameters, run.inputs[start:stop], run.before(start, stop))
    if factors is None:
        return whole
    R, L = (np.broadcast_to(np.asarray(factor, dtype=np.float64), jacobians.shape) for factor in factors)
    parts = (L, R) if chain.backwards else (R, L)
    first, second = (list(_pairs(part, chain.backwards)) for part in parts)
    for t in np.flatnonzero(_kept_share(R, jacobians) < PARALLEL):
        whole[t] = [first[t], second[t]]
    return whole


def _pairs(matrices: Array, transposed: bool) -> Any:
    """Each step's matrix (or its transpose), as entries of ordinary size and a power of two."""
    factors, extra = scaled(np.swapaxes(matrices, -1, -2) if transposed else matrices)
    return zip(factors, extra, strict=True)


def _kept_share(R: Array, jacobians: Array) -> Array:
    """The least length of a row of R relative to that of the same row of J, for each step."""
    lengths, whole = (np.sqrt(np.sum(matrix**2, axis=-1)) for matrix in (R, jacobians))
    share = np.divide(lengths, whole, out=np.ones_like(whole), where=whole > 0)
    return np.asarray(share.reshape(len(share), -1).min(axis=1, initial=1.0))


def scaled(matrices: Array) -> tuple[Array, wide.Integers]:
    """Each matrix as entries of ordinary size × 2^exponent: ((..., S, S), (...))."""
    mantissas, exponents = wide.normalised(matrices, axis=(-2, -1))
    if np.all(np.abs(exponents) < 300):
        return matrices, np.zeros_like(exponents)
    return mantissas, exponents
