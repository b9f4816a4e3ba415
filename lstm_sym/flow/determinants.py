"""The independent check of a spectrum: its sum against the log-determinants of the factors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow.chains import CHUNK, SMALL, Chain, log_determinants
from lstm_sym.flow.system import Array
from lstm_sym.flow.windows import Window


class Determinants:
    """Log-determinants along a chain, window by window, summed as its factors are used.

    Where there is no closed form they come from dense LU factorisations, and a direction that was seen to be lost
    makes that step's zero.  Steps taken while ``counting`` is off (a transient) leave only their zeros.
    """

    def __init__(self, chain: Chain, whole: bool = True) -> None:
        """Nothing summed yet; ``whole``: whether all directions are followed, so that there is a sum to compare."""
        self._chain = chain
        self._total = np.zeros(chain.batch)
        self._gap = self._at = -1.0
        closed = getattr(chain.trajectory.system, "log_determinant", None)
        self.closed_form = closed is not None and chain.units is None
        self._compared = whole and chain.whole
        self._values: Array | None = None
        self._known: Array | None = None
        self._strains: Array | None = None
        self._singular: NDArray[np.bool_] | None = None
        self.counting = True

    def open(self, window: Window) -> None:
        """Go on to this window; its log-determinants are evaluated, all at once, only where they are needed."""
        self._values, self._known, self._singular, self._strains = None, None, None, None
        if not self._compared:
            return
        self._values, least = self._evaluated(window)
        singular = np.isneginf(self._values).reshape(len(window), -1).any(axis=-1)
        self._singular = np.asarray(singular) if self.closed_form and singular.any() else None
        if least is not None and self._chain.size > SMALL:
            self._strains = -least.reshape(len(window), -1).min(axis=-1, initial=0.0)

    def _evaluated(self, window: Window) -> tuple[Array, Array | None]:
        """log|det| of each step, in order of time, and the log of its least factor where that is known."""
        start, stop = window.start, window.stop
        if self.closed_form:
            found = log_determinants(self._chain.trajectory, start, stop)
            assert found is not None
            return found
        width = max(1, CHUNK // (8 * math.prod(self._chain.batch) * self._chain.size**2))
        pieces = [(first, min(stop, first + width)) for first in range(start, stop, width)]
        return np.concatenate([np.linalg.slogdet(self._chain.jacobians(*piece))[1] for piece in pieces]), None

    def strain(self, window: Window, first: int, last: int) -> list[float]:
        """How ill-conditioned the next 1, 2, … factors from ``first`` on are together, in nats; empty: unknown."""
        if self._strains is None:
            return []
        along = self._strains[window.times(first, last)]
        sums: list[float] = np.cumsum(along[::-1] if self._chain.backwards else along).tolist()
        return sums

    def singular(self, window: Window, first: int, last: int) -> bool:
        """Whether the closed form calls one of the factors ``first`` … ``last`` − 1 singular."""
        return self._singular is not None and bool(self._singular[window.times(first, last)].any())

    def suspect(self, window: Window, place: int) -> NDArray[np.bool_]:
        """Where a factor may be singular: the closed form says so, or there is none."""
        if not self.closed_form:
            return np.ones(self._chain.batch, dtype=bool)
        if self._known is None:
            self._known = self._evaluated(window)[0] if self._values is None else self._values
        return np.asarray(np.isneginf(self._known[window.time(place)]))

    def add(self, window: Window, first: int, last: int, lost: NDArray[np.bool_] | None = None) -> None:
        """Count the factors ``first`` … ``last`` − 1; ``lost`` (...): where a direction was seen to be lost."""
        if self._values is None:
            return
        value = np.sum(self._values[window.times(first, last)], axis=0)
        if not self.closed_form and lost is not None:
            value = np.where(lost, -np.inf, value)
        if self.counting:
            self._total = self._total + value
        else:
            self._total = np.where(np.isneginf(value), -np.inf, self._total)

    def compare(self, logs: Array) -> None:
        """Compare the sum of ``logs`` (..., S) with the determinants so far."""
        if not self._compared:
            return
        sums = np.asarray(np.sum(logs, axis=-1))
        both = np.isneginf(sums) & np.isneginf(self._total)
        gap = np.abs(np.where(both, 0.0, sums) - np.where(both, 0.0, self._total))
        if gap.size == 0:
            return
        worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
        if gap[worst] > self._gap:
            self._gap, self._at = float(gap[worst]), float(self._total[worst])

    @property
    def gap(self) -> float | None:
        """The largest gap found, in nats; None where nothing was compared."""
        return None if self._gap < 0 else self._gap

    @property
    def at(self) -> float | None:
        """The log-determinant where the gap was found."""
        return None if self._gap < 0 else self._at
