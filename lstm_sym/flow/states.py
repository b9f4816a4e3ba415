"""The states of a run: computed at once, or recomputed from checkpoints when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_sym.flow.system import Array, System

#: Steps between checkpoints; states are always recomputed in these blocks, so that they come out the same.
EVERY = 256


class StateNotFiniteError(FloatingPointError):
    """A state became infinite or nan: ``step`` (counted from 0) is the first that did.

    ``partial``: what had been computed up to there, if anything: the ``Trajectory`` of ``run``, the ``Spectrum`` or
    the norms of an analysis that met the step on its way.
    """

    partial: Any = None

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            f"the state is no longer finite after step {step} (counted from 0): expected finite states "
            f"throughout. Shorten the run, or reduce the weights or the initial state."
        )


def unrolled(system: System, parameters: Any, inputs: Array, initial: Array) -> Array:
    """The states after each step, (T, ..., S); the last one may be the first that is not finite."""
    unroll = getattr(system, "unroll", None)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if unroll is None:
            return _loop(system, parameters, inputs, initial)
        states = np.array(unroll(parameters, inputs, initial))
    good = finite_steps(states)
    return states if good == len(states) else states[: good + 1]


def finite_steps(states: Array) -> int:
    """How many states there are before the first that is not finite."""
    good = np.isfinite(states).all(axis=tuple(range(1, states.ndim)))
    return len(states) if good.all() else int(np.argmin(good))


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


class Recomputed:
    """States (T, ..., S) after each step, not stored: indexing recomputes those asked for, from checkpoints.

    Behaves like a read-only array under indexing along time, ``len``, ``shape``, ``dtype`` and ``numpy.asarray``.
    """

    def __init__(self, system: System, parameters: Any, inputs: Array, initial: Array) -> None:
        self._system, self._parameters, self._inputs = system, parameters, inputs
        self._marks = [initial]
        self._latest: tuple[int, Array] | None = None
        self.shape = (len(inputs), *initial.shape)
        self.ndim = len(self.shape)
        first = np.asarray(system.step(parameters, inputs[0], initial))
        self.dtype = np.result_type(first, initial)

    def first(self, steps: int) -> Recomputed:
        """Those of the first steps alone, in the same way; the checkpoints are shared."""
        fewer = Recomputed.__new__(Recomputed)
        fewer.__dict__.update(self.__dict__)
        fewer.shape = (steps, *self.shape[1:])
        return fewer

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of them, stored."""
        return np.asarray(self._range(0, len(self)), dtype=dtype)

    def __getitem__(self, key: Any) -> Array:
        time, *rest = key if isinstance(key, tuple) else (key,)
        if time is Ellipsis or time is None or not isinstance(time, (slice, int, np.integer)):
            return np.asarray(np.asarray(self)[key])
        if isinstance(time, slice):
            start, stop, stride = time.indices(len(self))
            if stride < 0:
                return np.asarray(np.asarray(self)[key])
            found = self._range(start, stop)[::stride]
            return found[(slice(None), *rest)]
        step = range(len(self))[int(time)]
        return np.asarray(self._range(step, step + 1)[0][tuple(rest)])

    def _range(self, start: int, stop: int) -> Array:
        """The states after the steps ``start`` … ``stop`` − 1."""
        if stop <= start:
            return np.empty((0, *self.shape[1:]), self.dtype)
        parts = []
        for number in range(start // EVERY, (stop - 1) // EVERY + 1):
            first = number * EVERY
            parts.append(self._block(number)[max(0, start - first) : stop - first])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _block(self, number: int) -> Array:
        """The states of one block of steps; the blocks before it are made first, if they never were."""
        if self._latest is not None and self._latest[0] == number:
            return self._latest[1]
        for place in range(min(number, len(self._marks) - 1), number + 1):
            first = place * EVERY
            states = unrolled(
                self._system, self._parameters, self._inputs[first : first + EVERY], self._marks[place]
            )
            good = finite_steps(states)
            if good < len(states):
                raise StateNotFiniteError(first + good)
            states.setflags(write=False)
            if len(self._marks) == place + 1:
                self._marks.append(states[-1].copy())
            self._latest = (place, states)
        assert self._latest is not None
        return self._latest[1]
