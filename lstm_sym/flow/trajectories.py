"""A run of a system: its inputs, its states, and every named quantity along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow.system import Array, System, blocks


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """T steps of ``system``: inputs (T, ..., m), initial (..., S) and states (T, ..., S) after each step."""

    system: System
    parameters: Any
    inputs: Array
    initial: Array
    states: Array

    def __len__(self) -> int:
        """The number of steps, T."""
        return len(self.states)

    @property
    def size(self) -> int:
        """The size S of the state."""
        return int(self.states.shape[-1])

    @property
    def batch(self) -> tuple[int, ...]:
        """The axes between time and state."""
        return self.states.shape[1:-1]

    @property
    def previous(self) -> Array:
        """The states before each step, (T, ..., S)."""
        return self.before(0, len(self))

    def before(self, start: int, stop: int) -> Array:
        """The states before the steps ``start`` to ``stop`` − 1: (stop − start, ..., S)."""
        if start > 0:
            return self.states[start - 1 : stop - 1]
        return np.concatenate([self.initial[None], self.states[: stop - 1]])

    def __getitem__(self, name: str) -> Array:
        """The named quantity at every step, (T, ..., n): a state block, or whatever the system evaluates.

        Raises UnknownNameError (a KeyError and a ValueError), which lists the names, for any other.
        """
        known = blocks(self.system, self.parameters, self.size)
        if isinstance(name, str) and name in known:
            return self.states[..., known[name]]
        evaluate = getattr(self.system, "evaluate", None)
        values = {} if evaluate is None else evaluate(self.parameters, self.inputs, self.previous)
        if not isinstance(name, str) or name not in values:
            raise checks.unknown_name("quantity", name, dict.fromkeys([*known, *values]))
        value = np.asarray(values[name])
        return np.broadcast_to(value, (len(self), *self.batch, value.shape[-1]))

    def __repr__(self) -> str:
        """One line: the system and the sizes."""
        shape = f"{len(self)} steps of {type(self.system).__name__}, state size {self.size}"
        return f"<Trajectory: {shape}{f', batch {self.batch}' if self.batch else ''}>"


def a_trajectory(value: Any) -> Trajectory:
    """``value`` if it is a real Trajectory, else TypeError (another thing) or ValueError (a complex run)."""
    if not isinstance(value, Trajectory):
        raise TypeError(f"{value!r:.60} is a {type(value).__name__}: expected a Trajectory, as run returns it.")
    if np.iscomplexobj(value.states):
        raise ValueError("the trajectory is complex: gradients and spectra are those of real ones.")
    return value


def run(system: System, parameters: Any, inputs: Any, initial: Any = None) -> Trajectory:
    """Run ``system`` from ``initial`` over ``inputs``.

    inputs: (T, ..., m), one entry a step, or an integer T for T steps without input.
    initial: (..., S); None for the system's own default, where it has one.  Batch axes broadcast.

    Raises ValueError for T = 0, non-finite or misshapen arguments, and FloatingPointError, naming the step,
    when a state becomes infinite or nan.
    """
    if not (callable(getattr(system, "step", None)) and callable(getattr(system, "jacobian", None))):
        raise TypeError(f"{system!r:.60} does not step: expected a Kernel, or an object with step and jacobian.")
    prepare = getattr(system, "prepare", _prepare)
    if isinstance(inputs, (int, np.integer)) and not isinstance(inputs, bool):
        _some_steps(int(inputs))
    elif isinstance(inputs, (bool, float)) or inputs is None:
        checks.integer("inputs", inputs)
    elif checks.numeric("inputs", inputs).ndim > 0:
        _some_steps(len(inputs))
    parameters, inputs, initial = prepare(parameters, inputs, initial)
    inputs, initial = _broadcast(np.asarray(inputs), np.asarray(initial))
    states = _states(system, parameters, inputs, initial)
    for array in (inputs, initial, states):
        array.setflags(write=False)
    return Trajectory(system, parameters, inputs, initial, states)


def _some_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"inputs give T = {steps} steps: expected at least 1.")


def _prepare(parameters: Any, inputs: Any, initial: Any) -> tuple[Any, Array, Array]:
    """The checks for a system that has none of its own."""
    if np.ndim(inputs) == 0:
        inputs = np.zeros((checks.integer("inputs", inputs), 0))
    inputs = checks.finite("inputs", inputs)
    if inputs.ndim < 2:
        raise ValueError(f"inputs have shape {inputs.shape}: expected (T, ..., m), at least two axes.")
    if initial is None:
        raise ValueError("initial is None, and the system has no default: give a state of shape (..., S).")
    initial = checks.finite("initial", initial)
    if initial.ndim < 1:
        raise ValueError("initial is a number: expected a state of shape (..., S).")
    return parameters, inputs, initial


def _broadcast(inputs: Array, initial: Array) -> tuple[Array, Array]:
    """Copies of both, with the same batch axes."""
    try:
        batch = np.broadcast_shapes(inputs.shape[1:-1], initial.shape[:-1])
    except ValueError:
        given = f"inputs (T, ..., m) {inputs.shape} and initial (..., S) {initial.shape}"
        raise ValueError(f"{given} do not broadcast: expected batch axes that are equal or 1.") from None
    steps, width = inputs.shape[0], inputs.shape[-1]
    missing = (1,) * (len(batch) - (inputs.ndim - 2))
    aligned = inputs.reshape(steps, *missing, *inputs.shape[1:-1], width).copy()
    return (
        np.broadcast_to(aligned, (steps, *batch, width)),
        np.broadcast_to(initial, (*batch, initial.shape[-1])).copy(),
    )


def _states(system: System, parameters: Any, inputs: Array, initial: Array) -> Array:
    """The states after each step, (T, ..., S), or FloatingPointError naming the first bad step."""
    unroll = getattr(system, "unroll", None)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if unroll is not None:
            states = np.array(unroll(parameters, inputs, initial))
        else:
            states = _loop(system, parameters, inputs, initial)
    good = np.isfinite(states).all(axis=tuple(range(1, states.ndim)))
    if not good.all():
        step = int(np.argmin(good))
        raise FloatingPointError(
            f"the state is no longer finite after step {step} (counted from 0): expected finite states "
            f"throughout. Shorten the run, or reduce the weights or the initial state."
        )
    return states


def _loop(system: System, parameters: Any, inputs: Array, initial: Array) -> Array:
    """step by step, stopping at the first state that is not finite."""
    states = np.empty((len(inputs), *initial.shape), dtype=initial.dtype)
    state = initial
    for t, x in enumerate(inputs):
        state = np.asarray(system.step(parameters, x, state))
        if state.shape != initial.shape:
            given = f"step {t} gives a state of shape {state.shape}"
            raise ValueError(f"{given}: expected {initial.shape}, the shape of the state before it.")
        states[t] = state
        if not np.isfinite(state).all():
            return states[: t + 1]
    return states
