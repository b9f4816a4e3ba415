"""A system without its gauge freedom: tangents along directions that change nothing but the state are taken out.

Where moving the state along a direction has no effect but that it is moved (the c, n and m of an sLSTM), a state
Jacobian takes such directions to such directions, and is block triangular with respect to them: its exponents are
those of the gauge directions, 0 or −∞, which say nothing about the network, and those of what is left.  The latter
are the exponents of Π J, with Π the orthogonal projection onto what is perpendicular to the gauge directions of the
new state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lstm_sym.flow.system import Array, System
from lstm_sym.flow.trajectories import Trajectory


class Modulo:
    """``system`` with its tangents projected; what would tell of the whole Jacobian is not offered."""

    factors = log_factors = log_determinant = direct = None

    def __init__(self, system: System) -> None:
        self._system: Any = system

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def step(self, parameters: Any, x: Any, state: Any) -> Array:
        """The system's own step."""
        return np.asarray(self._system.step(parameters, x, state))

    def jacobian(self, parameters: Any, x: Any, state: Any) -> Array:
        """Π J, (..., S, S)."""
        images = np.swapaxes(np.array(self._system.jacobian(parameters, x, state)), -1, -2)
        for gauge in self._system.gauges(parameters, self.step(parameters, x, state)):
            _take_out(images, gauge.places, [v[..., None, :] for v in gauge.vectors])
        return np.swapaxes(images, -1, -2)

    def tangents(self, parameters: Any, x: Any, state: Any, width: int = 1) -> Projected:
        """Π J v for the steps of a window."""
        inner = self._system.tangents(parameters, x, state, width)
        return Projected(inner, self._system.gauges(parameters, self.step(parameters, x, state)))


class Projected:
    """The tangent action ``inner``, projected after every step forwards."""

    def __init__(self, inner: Any, gauges: list[Any]) -> None:
        self._inner, self._gauges = inner, gauges

    def push(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """Π J_t v for each of the ``rows`` (..., k, S)."""
        images = np.asarray(self._inner.push(t, rows, out))
        for gauge in self._gauges:
            _take_out(images, gauge.places, [vector[t][..., None, :] for vector in gauge.vectors])
        return images

    def pull(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_tᵀ Π u for each of the ``rows`` (..., k, S)."""
        kept = np.array(rows)
        for gauge in self._gauges:
            _take_out(kept, gauge.places, [vector[t][..., None, :] for vector in gauge.vectors])
        return np.asarray(self._inner.pull(t, kept, out))

    def flops(self, k: int) -> float:
        """Those of the inner action; the projection is a few operations for each number."""
        return float(self._inner.flops(k))


def gauge_directions(system: Any, parameters: Any, state: Array) -> list[Any]:
    """The gauge freedoms of a system, at a state; none where it does not say."""
    found = getattr(system, "gauges", None)
    return list(found(parameters, state)) if found is not None else []


def without_gauge(run: Any) -> Any:
    """The same run of the system without its gauge freedom."""
    if isinstance(run, Trajectory):
        return replace(run, system=Modulo(run.system))
    run.system = Modulo(run.system)
    return run


def _take_out(rows: Array, places: tuple[slice, ...], vectors: list[Array]) -> None:
    """rows −= v (v·rows)/(v·v), unit by unit, in place; the vectors are (..., 1, n)."""
    parts = [rows[..., place] * vector for place, vector in zip(places, vectors, strict=True)]
    along = np.add.reduce(parts) / np.add.reduce([vector * vector for vector in vectors])
    for place, vector in zip(places, vectors, strict=True):
        rows[..., place] -= along * vector
