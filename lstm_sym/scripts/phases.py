"""Landmarks that the phase diagrams of gated cells share: each of them has a closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_sym.calculus.limits.limits import zero_state
from lstm_sym.cell import Cell
from lstm_sym.quantities import crossing_gain, edge_gain, exponent_at_zero, gradient_reach
from lstm_sym.scripts.running import Run
from lstm_sym.theory.forgetting import forget_bias, time_constant

#: The time constants of the isolines, in steps.
TIME_CONSTANTS = (10, 100, 1000)


def critical_gain(cell: Cell, **biases: float) -> float:
    """The closed form of ``ls.zero_state``, as a number.

    >>> import lstm_sym as ls
    >>> critical_gain(ls.LSTM, b_f=0.0), round(critical_gain(ls.LSTM, b_f=4.0), 6)
    (2.0, 0.071945)
    """
    gain = zero_state(cell, **biases).critical_gain
    if gain is None:
        raise ValueError(f"the critical gain of {cell.name} has no closed form.")
    return float(gain)


def edge_exponent(cell: Cell, gains: Sequence[float], weight: str, **biases: float) -> np.ndarray:
    """log|λ| at the edge of the disc that the eigenvalues fill at large N, w = gain: (gains,), in nats per step.

    It is the exponent below the critical gain: that of a network of one unit, whose ``weight`` is the gain.
    """
    zero = zero_state(cell, **biases)
    return np.array([np.log(np.abs(zero.spectrum({weight: [[gain]]})[0])) for gain in gains])


def time_constant_landmarks(run: Run, cell: Cell, state: str, keeps: str, weights: Sequence[str]) -> None:
    """The direct path falls to 1/e in −1/log σ(b) steps, measured with the gate's ``weights`` at zero."""
    for bias in (0.0, 1.0, 2.0, 3.0, 5.0, *map(float, forget_bias(TIME_CONSTANTS))):
        given: dict[str, Any] = {"hidden": 8, "rng": run["seed"], keeps: bias, **dict.fromkeys(weights, 0.0)}
        fall = float(gradient_reach(cell, lags=100, of=state, wrt=state, path="direct", **given))
        theory = float(time_constant(bias))
        run.landmark(f"time constant in steps, {keeps} = {bias:.4g}", -100 / fall, theory, error=1e-9 * theory)


def zero_state_landmarks(run: Run, cell: Cell, points: Sequence[Mapping[str, float]]) -> None:
    """At half the critical gain the exponent of a run is log of the spectral radius at zero of that network."""
    for biases in points:
        gain = critical_gain(cell, **biases) / 2
        rngs = range(run["seed"], run["seed"] + run["seeds"])
        given: dict[str, Any] = {"hidden": run["hidden"], "gain": gain, **biases}
        found = [exponent_at_zero(cell, rng=rng, **given) for rng in rngs]
        measured, closed, error = (np.array([one[k] for one in found]) for k in ("measured", "closed", "error"))
        what = f"exponent at half the critical gain, {_text(biases)}"
        run.landmark(what, measured.mean(), closed.mean(), error.max())


def crossing_landmarks(run: Run, cell: Cell, points: Sequence[Mapping[str, float]]) -> None:
    """Where the measured exponent passes zero: beside the network's own eigenvalues, and the circular law's edge.

    The outermost eigenvalues of one network of N units are O(1/√N) off that edge.  (Measured for the LSTM, forty
    networks of 16 and of 64 units: bias up to 0.6/√N, standard deviation up to 1.0/√N, in proportion to the gain.)
    """
    for biases in points:
        critical = critical_gain(cell, **biases)
        rngs = range(run["seed"], run["seed"] + run["seeds"])
        crossings = np.array([crossing_gain(cell, hidden=run["hidden"], rng=rng, **biases) for rng in rngs])
        edges = np.array([edge_gain(cell, hidden=run["hidden"], rng=rng, **biases) for rng in rngs])
        where = f"exponent is 0 at gain, {_text(biases)}"
        run.landmark(f"{where}: own eigenvalues", crossings.mean(), edges.mean(), 1e-5 * critical)
        run.landmark(f"{where}: N → ∞", crossings.mean(), critical, critical / np.sqrt(run["hidden"]))


def _text(biases: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in biases.items())
