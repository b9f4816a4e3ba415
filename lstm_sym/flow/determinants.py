"""The independent check of a spectrum: its sum against the log-determinants of the factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow.chains import Chain, log_determinants
from lstm_sym.flow.results import Certificate
from lstm_sym.flow.system import Array


class Determinants:
    """Log-determinants along a chain, chunk by chunk, summed as its factors are used."""

    def __init__(self, chain: Chain) -> None:
        """Nothing summed yet."""
        closed = getattr(chain.trajectory.system, "log_determinant", None)
        self._chain = chain
        self._total = np.zeros(chain.batch)
        self._lost = np.zeros(chain.batch, dtype=bool)
        self._gap = self._at = -1.0
        self._closed = closed is not None and chain.units is None
        self._values: Array | None = None

    def open(self, first: int, stop: int, jacobians: Array) -> None:
        """The log-determinants of steps first … stop − 1: closed form, or LU where to be compared."""
        if self._closed:
            self._values = log_determinants(self._chain.trajectory, first, stop)
        elif self._chain.whole:
            self._values = np.asarray(np.linalg.slogdet(jacobians)[1])

    def suspect(self, t: int) -> NDArray[np.bool_]:
        """Where step t of the chunk may be singular: the closed form says so, or there is none."""
        if not self._closed or self._values is None:
            return np.ones(self._chain.batch, dtype=bool)
        return np.asarray(np.isneginf(self._values[t]))

    def close(self, t: int, lost: NDArray[np.bool_], counted: bool = True) -> None:
        """Add step t; a direction lost there makes a determinant that has no closed form zero."""
        self._lost = self._lost | lost
        if self._values is None:
            return
        value = self._values[t]
        if not self._closed:
            value = np.where(lost, -np.inf, value)
        if counted:
            self._total = self._total + value
        else:
            self._total = np.where(np.isneginf(value), -np.inf, self._total)

    def compare(self, logs: Array, steps: int = 1) -> None:
        """Compare the sum of ``logs`` (..., S) × ``steps`` with the determinants so far."""
        if not self._chain.whole or self._values is None:
            return
        sums = np.asarray(np.sum(logs, axis=-1) * steps)
        both = np.isneginf(sums) & np.isneginf(self._total)
        gap = np.abs(np.where(both, 0.0, sums) - np.where(both, 0.0, self._total))
        if gap.size == 0:
            return
        worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
        if gap[worst] > self._gap:
            self._gap, self._at = float(gap[worst]), float(self._total[worst])

    def certificate(self, factorizations: int, steps: int) -> Certificate:
        """What came out of it."""
        if self._gap < 0:
            return Certificate(None, None, False, factorizations, steps)
        return Certificate(self._gap, self._at, self._closed, factorizations, steps)
