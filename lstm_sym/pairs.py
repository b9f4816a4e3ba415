"""Bidirectional networks: a cell that reads the inputs forwards beside one that reads them backwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym.calculus import JacobianTable, jacobian
from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import finite, unknown_name
from lstm_sym.flow import Trajectory, run
from lstm_sym.functions import Array
from lstm_sym.kernels import Kernel
from lstm_sym.notation import STANDARD, Notation

DIRECTIONS = ("forward", "backward")

PairLoss = Callable[[Mapping[str, Array]], tuple[float, Mapping[str, Any]]]


@dataclass(frozen=True)
class PairGradient:
    """``parameters`` by direction and name, ``inputs`` (T, ..., m), and the loss's ``value``, None if linear."""

    value: float | None
    parameters: dict[str, dict[str, Array]]
    inputs: Array


@dataclass(frozen=True)
class PairRun:
    """The two runs: each a ``Trajectory`` in the order in which it was taken, for all analyses of flow.

    ``run["h"]`` is a quantity of both, side by side at the same time t: (T, ..., 2n), forward first.
    """

    forward: Trajectory
    backward: Trajectory

    def __getitem__(self, name: str) -> Array:
        return np.concatenate([self.forward[name], self.backward[name][::-1]], axis=-1)

    def __len__(self) -> int:
        return len(self.forward)


class Bidirectional:
    """Two cells over the same inputs, one from t = 1 to T, one from t = T to 1 (Schuster & Paliwal 1997).

    Neither reads the other, so the Jacobian of the pair is block diagonal: ``jacobians["forward"]`` is that of a
    step from t − 1 to t, ``jacobians["backward"]`` that of a step from t + 1 to t.
    """

    def __init__(self, forward: Cell, backward: Cell) -> None:
        self.cells = {"forward": forward, "backward": backward}
        self.kernels = {direction: Kernel(cell) for direction, cell in self.cells.items()}

    @property
    def jacobians(self) -> dict[str, JacobianTable]:
        """The state Jacobian of each direction."""
        return {direction: jacobian(cell, "state", "state") for direction, cell in self.cells.items()}

    def parameters(self, hidden: int, inputs: int, rng: Any = None, **values: Any) -> dict[str, dict[str, Array]]:
        """Random parameters by direction, see ``Kernel.parameters``."""
        random = np.random.default_rng(rng)
        return {d: kernel.parameters(hidden, inputs, rng=random, **values) for d, kernel in self.kernels.items()}

    def run(self, parameters: Mapping[str, Mapping[str, Any]], inputs: Any) -> PairRun:
        """Both runs over inputs (T, ..., m), from the state zero."""
        given, x = _by_direction(parameters), finite("inputs", inputs)
        forward = run(self.kernels["forward"], given["forward"], x)
        return PairRun(forward, run(self.kernels["backward"], given["backward"], x[::-1]))

    def gradient(
        self, parameters: Mapping[str, Mapping[str, Any]], inputs: Any, loss: PairLoss | Mapping[str, Any]
    ) -> PairGradient:
        """Back-propagation through both runs.

        ``loss`` is called with the states of the run by name, both directions side by side (T, ..., 2n), and
        returns its value and its derivatives by any of them; a dict of derivatives alone is a linear loss.

        Raises:
            UnknownNameError: a derivative by something that is no state of both cells.
            ValueError: a derivative of the wrong shape.
        """
        pair = self.run(parameters, inputs)
        shared = [s for s in self.cells["forward"].states if s in self.cells["backward"].states]
        states = {state: pair[state] for state in shared}
        value, derivatives = loss(states) if callable(loss) else (None, loss)
        seeds: dict[str, dict[str, Array]] = {direction: {} for direction in DIRECTIONS}
        for name, derivative in derivatives.items():
            if name not in states:
                raise unknown_name("state of both directions", name, shared)
            seed = np.asarray(finite(f"the loss's derivative by {name}", derivative))
            if seed.shape != states[name].shape:
                expected = f"expected {states[name].shape}, both directions side by side"
                raise ValueError(f"the loss's derivative by {name} has shape {seed.shape}: {expected}.")
            width = pair.forward[name].shape[-1]
            seeds["forward"][name], seeds["backward"][name] = seed[..., :width], seed[::-1, ..., width:]
        given, x = _by_direction(parameters), finite("inputs", inputs)
        there = self.kernels["forward"].gradient(given["forward"], x, seeds["forward"])
        back = self.kernels["backward"].gradient(given["backward"], x[::-1], seeds["backward"])
        found = {"forward": there.parameters, "backward": back.parameters}
        return PairGradient(value, found, there.inputs + back.inputs[::-1])

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        """The equations of both directions as two ``align``s; the second one's steps go from t + 1 to t."""
        parts = [cell.latex(label=f"{d}", notation=notation) for d, cell in self.cells.items()]
        return f"{parts[0]}\n{_turned(parts[1])}"

    def _repr_latex_(self) -> str:
        forward, backward = (cell._repr_latex_() for cell in self.cells.values())
        return f"{forward}\n{_turned(backward)}"

    def __repr__(self) -> str:
        forward, backward = map(repr, self.cells.values())
        return f"forwards, t = 1 … T: {forward}\nbackwards, t = T … 1: {_turned(backward)}"


def bidirectional(forward: Cell, backward: Cell | None = None) -> Bidirectional:
    """A pair of cells that read the inputs in both directions; the second is the same cell unless given.

    >>> import lstm_sym as ls
    >>> pair = ls.bidirectional(ls.RNN)
    >>> pair
    forwards, t = 1 … T: RNN
      hₜ = tanh(W_xh·xₜ + W_hh·hₜ₋₁ + b_h)   hidden state
      yₜ = W_hy·hₜ + b_y                     output layer
    backwards, t = T … 1: RNN
      hₜ = tanh(W_xh·xₜ + W_hh·hₜ₊₁ + b_h)   hidden state
      yₜ = W_hy·hₜ + b_y                     output layer
    >>> p = pair.parameters(hidden=4, inputs=2, rng=0)
    >>> pair.run(p, [[1.0, 0.0]] * 5)["h"].shape
    (5, 8)

    Raises:
        TypeError: something that is no cell.
    """
    return Bidirectional(a_cell(forward), a_cell(forward if backward is None else backward))


def _turned(text: str) -> str:
    """A text about a step from t − 1 as one about a step from t + 1."""
    return text.replace("ₜ₋₁", "ₜ₊₁").replace("t-1", "t+1")


def _by_direction(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(parameters, Mapping) or set(parameters) != set(DIRECTIONS):
        given = ", ".join(map(str, parameters)) if isinstance(parameters, Mapping) else type(parameters).__name__
        raise ValueError(f"parameters = {given}: expected a dict with {' and '.join(DIRECTIONS)}.")
    return parameters
