"""A run over inputs that come in chunks and are read once: it goes forward only, and keeps nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from lstm_sym.flow.states import StateNotFiniteError, finite_steps, unrolled
from lstm_sym.flow.system import Array, System

#: Checks (parameters, inputs, initial), and gives them the same batch axes.
Prepare = Callable[[Any, Any, Any], tuple[Any, Array, Array]]


class _Placed:
    """An array along time of which only a stretch is there: indexed by slices of absolute steps."""

    def __init__(self, array: Array, first: int) -> None:
        self._array, self._first = array, first

    def __getitem__(self, time: slice) -> Array:
        return self._array[time.start - self._first : time.stop - self._first]


class Stream:
    """Steps of ``system`` over chunks of inputs, each (t, ..., m), taken one after another and once.

    For analyses that go forward in time: ``lyapunov_spectrum``, and, with anchor="start", ``gradient_norms`` and
    ``singular_spectrum``.  Memory does not grow with the number of steps.
    """

    once = True

    def __init__(
        self, system: System, parameters: Any, chunks: Iterable[Any], initial: Any, prepare: Prepare
    ) -> None:
        iterator = iter(chunks)
        first = next(iterator, None)
        if first is None:
            raise ValueError("inputs give no chunk: expected at least one, (t, ..., m).")
        self.system, self._prepare = system, prepare
        self.parameters, inputs, self.initial = prepare(parameters, first, initial)
        self._first: Array | None = inputs
        self._chunks: Iterator[Any] | None = itertools.chain([inputs], iterator)
        self._state, self._kind = self.initial, inputs.shape[1:]
        self.inputs, self._before = _Placed(inputs[:0], 0), _Placed(inputs[:0], 0)
        self.steps = 0

    @property
    def size(self) -> int:
        """The size S of the state."""
        return int(self.initial.shape[-1])

    @property
    def batch(self) -> tuple[int, ...]:
        """The axes between time and state."""
        return self.initial.shape[:-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the states."""
        return np.dtype(self.initial.dtype)

    def before(self, start: int, stop: int) -> Array:
        """The states before the steps ``start`` to ``stop`` − 1, which are in the present window."""
        return self._before[start:stop]

    def windows(self, width: int, steps: int | None = None) -> Iterator[tuple[int, int]]:
        """Stretches [start, stop) of at most ``width`` steps, forward, up to ``steps`` of them in all."""
        if self._chunks is None:
            raise ValueError("this run was used already: its inputs came from an iterator. Make it anew with run.")
        chunks, self._chunks = self._chunks, None
        for chunk in chunks:
            inputs = self._checked(chunk)
            for first in range(0, len(inputs), width):
                part = inputs[first : first + width]
                if steps is not None:
                    part = part[: steps - self.steps]
                if not len(part):
                    return
                yield self._advance(part)

    def _checked(self, chunk: Any) -> Array:
        first, self._first = self._first, None
        if first is not None:
            return first
        _, inputs, _ = self._prepare(self.parameters, chunk, self._state)
        if inputs.shape[1:] != self._kind:
            place = f"the chunk after step {self.steps}"
            raise ValueError(f"{place} has steps of shape {inputs.shape[1:]}: expected {self._kind}, as the first.")
        return inputs

    def _advance(self, inputs: Array) -> tuple[int, int]:
        """Run over these inputs and make them the present window."""
        states = unrolled(self.system, self.parameters, inputs, self._state)
        good = finite_steps(states)
        if good < len(states):
            raise StateNotFiniteError(self.steps + good)
        before = np.concatenate([self._state[None], states[:-1]])
        start, self.steps = self.steps, self.steps + len(inputs)
        self.inputs, self._before = _Placed(inputs, start), _Placed(before, start)
        self._state = states[-1]
        return start, self.steps

    def must_go_back(self, what: str) -> NoReturn:
        """ValueError: this run can't."""
        raise ValueError(
            f"{what} goes back in time, and these inputs are read once, in chunks: give an array, or a"
            f" memory-mapped file (numpy.load with mmap_mode='r'), or ask for anchor 'start'."
        )

    def __len__(self) -> NoReturn:
        raise TypeError("a run over an iterator of inputs has no length before it is used.")

    def __repr__(self) -> str:
        """One line: the system and the sizes."""
        return f"<Stream: steps of {type(self.system).__name__}, state size {self.size}, {self.steps} done>"
