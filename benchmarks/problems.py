"""The problems that every contender is given: an LSTM with random parameters along a random input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_sym as ls

INPUTS = 8


@dataclass(frozen=True)
class Problem:
    """A kernel with its parameters, and the finished run that everybody starts from."""

    kernel: ls.Kernel
    parameters: dict[str, Any]
    orbit: ls.Trajectory

    @property
    def inputs(self) -> Any:
        """(T, ..., m)."""
        return self.orbit.inputs

    @property
    def before(self) -> Any:
        """The states before each step, (T, ..., 2n)."""
        return np.ascontiguousarray(self.orbit.previous)


def lstm(hidden: int, steps: int, batch: tuple[int, ...] = ()) -> Problem:
    """``steps`` steps of an LSTM of ``hidden`` units under standard normal inputs."""
    kernel = ls.Kernel(ls.LSTM)
    parameters = kernel.parameters(hidden, INPUTS, rng=0)
    return Problem(kernel, parameters, ls.run(kernel, parameters, drawn(steps, *batch, INPUTS)))


def drawn(*shape: int) -> Any:
    """Standard normal numbers, the same at every call."""
    return np.random.default_rng(1).standard_normal(shape)


def frame(size: int, k: int) -> Any:
    """k orthonormal tangent vectors to start from, (size, k)."""
    return np.ascontiguousarray(np.linalg.qr(np.random.default_rng(2).standard_normal((size, k)))[0])
