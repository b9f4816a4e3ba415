"""A run of a system: its inputs, its states, and every named quantity along it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, overload

import numpy as np

from lstm_sym import checks
from lstm_sym.flow.matrices import Matrices, flattened, in_chunks
from lstm_sym.flow.states import Recomputed, StateNotFiniteError, finite_steps, unrolled
from lstm_sym.flow.streams import Stream
from lstm_sym.flow.system import Array, System, blocks

#: Bytes of states, or of inputs, above which a run does not store them unless told to.
STORED = 2**28


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """T steps of ``system``: inputs (T, ..., m), initial (..., S) and states (T, ..., S) after each step.

    >>> import lstm_sym as ls
    >>> kernel = ls.Kernel(ls.LSTM)
    >>> orbit = ls.run(kernel, kernel.parameters(hidden=4, inputs=2, rng=0), 10)
    >>> len(orbit), orbit.size, orbit["c"].shape, orbit["f"].shape
    (10, 8, (10, 4), (10, 4))

    The states of a very long run are not stored: ``states`` then looks like an array, and recomputes the stretch
    that is asked for.
    """

    system: System
    parameters: Any
    inputs: Array
    initial: Array
    states: Array | Recomputed

    #: Whether it can be gone through only once, see ``Stream``.
    once = False

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
        return tuple(self.states.shape[1:-1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the states."""
        return np.dtype(self.states.dtype)

    @property
    def previous(self) -> Array:
        """The states before each step, (T, ..., S)."""
        return self.before(0, len(self))

    def before(self, start: int, stop: int) -> Array:
        """The states before the steps ``start`` to ``stop`` − 1: (stop − start, ..., S)."""
        if start > 0:
            return np.asarray(self.states[start - 1 : stop - 1])
        return np.concatenate([self.initial[None], self.states[: stop - 1]])

    def windows(self, width: int, steps: int | None = None) -> Iterator[tuple[int, int]]:
        """Stretches [start, stop) of at most ``width`` steps, forward, over the first ``steps``, or all."""
        total = len(self) if steps is None else steps
        for start in range(0, total, width):
            yield start, min(total, start + width)

    def must_go_back(self, what: str) -> None:
        """Nothing to say: a trajectory can be gone through in both directions."""

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


def part(trajectory: Trajectory, start: int, stop: int) -> Trajectory:
    """The steps ``start`` … ``stop`` − 1 of a run; views, if its states are stored or ``start`` is 0."""
    states = trajectory.states
    kept = states.first(stop) if isinstance(states, Recomputed) and start == 0 else states[start:stop]
    initial = trajectory.before(start, start + 1)[0]
    return replace(trajectory, inputs=trajectory.inputs[start:stop], initial=initial, states=kept)


#: What the analyses take.
Run: TypeAlias = Trajectory | Stream


def a_run(value: Any) -> Run:
    """``value`` as a real run: a Trajectory or Stream as it is; matrices (T, ..., S, S), or an iterable, made one.

    Raises TypeError (another thing) or ValueError (a complex run, matrices of another shape).
    """
    if isinstance(value, (Trajectory, Stream)):
        if value.dtype.kind == "c":
            raise ValueError("the trajectory is complex: gradients and spectra are those of real ones.")
        return value
    if isinstance(value, (np.ndarray, list, tuple)) and np.ndim(value) > 2:
        return run(*_of_matrices(flattened(value)))
    if isinstance(value, Iterator):
        chunks = in_chunks(value)
        first = next(chunks, None)
        if first is None:
            raise ValueError("no matrices: expected at least one.")
        system, parameters, _, initial = _of_matrices(first)
        return Stream(system, parameters, _with(first, chunks), initial, _prepared)
    expected = "expected a Trajectory, as run returns it, or matrices (T, ..., S, S), or an iterator of them"
    raise TypeError(f"{value!r:.60} is a {type(value).__name__}: {expected}.")


def _with(first: Array, rest: Iterator[Array]) -> Iterator[Array]:
    yield first
    yield from rest


def _of_matrices(inputs: Array) -> tuple[System, None, Array, Array]:
    """What ``run`` takes, for flattened matrices."""
    size = round(inputs.shape[-1] ** 0.5)
    return Matrices(size), None, inputs, np.zeros((*inputs.shape[1:-1], size))


@overload
def run(
    system: System, parameters: Any, inputs: Iterator[Any], initial: Any = None, store: bool | None = None
) -> Stream: ...
@overload
def run(
    system: System, parameters: Any, inputs: Any, initial: Any = None, store: bool | None = None
) -> Trajectory: ...
def run(system: System, parameters: Any, inputs: Any, initial: Any = None, store: bool | None = None) -> Run:
    """Run ``system`` from ``initial`` over ``inputs``.

    inputs: (T, ..., m), one entry a step (an array, or a memory-mapped file, which is read as it is needed); an
    integer T for T steps without input; or an iterator of chunks (t, ..., m), read once: that gives a ``Stream``,
    for analyses that go forward in time.
    initial: (..., S); None for the system's own default, where it has one.  Batch axes broadcast.
    store: whether to keep all states.  By default, as long as they take less than 256 MB; otherwise they are
    computed when an analysis comes to them, from checkpoints, and memory does not grow with T.

    >>> import lstm_sym as ls
    >>> kernel = ls.Kernel(ls.RNN)
    >>> orbit = ls.run(kernel, kernel.parameters(hidden=4, inputs=2, rng=0), [[1.0, 0.0], [0.0, 1.0]])
    >>> orbit, orbit["h"].shape
    (<Trajectory: 2 steps of Kernel, state size 4>, (2, 4))

    Raises ValueError for T = 0, non-finite or misshapen arguments, and StateNotFiniteError (a FloatingPointError),
    naming the step, when a state becomes infinite or nan; its ``partial`` is the trajectory up to there.
    """
    if not (callable(getattr(system, "step", None)) and callable(getattr(system, "jacobian", None))):
        raise TypeError(f"{system!r:.60} does not step: expected a Kernel, or an object with step and jacobian.")
    own = getattr(system, "prepare", _prepare)
    if hasattr(inputs, "__iter__") and not hasattr(inputs, "__len__"):
        return Stream(system, parameters, inputs, initial, lambda *given: _prepared_by(own, *given))
    if isinstance(inputs, (int, np.integer)) and not isinstance(inputs, bool):
        _some_steps(int(inputs))
    elif isinstance(inputs, (bool, float)) or inputs is None:
        checks.integer("inputs", inputs)
    elif checks.numeric("inputs", inputs).ndim > 0:
        _some_steps(len(inputs))
    parameters, inputs, initial = _prepared_by(own, parameters, inputs, initial)
    for array in (inputs, initial):
        array.setflags(write=False)
    if store is None:
        store = 8 * len(inputs) * initial.size <= STORED
    if not store:
        return Trajectory(system, parameters, inputs, initial, Recomputed(system, parameters, inputs, initial))
    states = unrolled(system, parameters, inputs, initial)
    good = finite_steps(states)
    states.setflags(write=False)
    if good < len(states):
        error = StateNotFiniteError(good)
        if good:
            error.partial = Trajectory(system, parameters, inputs[:good], initial, states[:good])
        raise error
    return Trajectory(system, parameters, inputs, initial, states)


def _some_steps(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"inputs give T = {steps} steps: expected at least 1.")


def _prepared_by(own: Any, parameters: Any, inputs: Any, initial: Any) -> tuple[Any, Array, Array]:
    """Checked by the system, and brought to the same batch axes."""
    parameters, inputs, initial = own(parameters, inputs, initial)
    return (parameters, *_broadcast(np.asarray(inputs), np.asarray(initial)))


def _prepared(parameters: Any, inputs: Any, initial: Any) -> tuple[Any, Array, Array]:
    return _prepared_by(_prepare, parameters, inputs, initial)


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
    """Both with the same batch axes; copies, but for inputs that are large or on disk."""
    try:
        batch = np.broadcast_shapes(inputs.shape[1:-1], initial.shape[:-1])
    except ValueError:
        given = f"inputs (T, ..., m) {inputs.shape} and initial (..., S) {initial.shape}"
        raise ValueError(f"{given} do not broadcast: expected batch axes that are equal or 1.") from None
    steps, width = inputs.shape[0], inputs.shape[-1]
    missing = (1,) * (len(batch) - (inputs.ndim - 2))
    aligned = inputs.reshape(steps, *missing, *inputs.shape[1:-1], width)
    if inputs.nbytes <= STORED and not _on_disk(inputs):
        aligned = aligned.copy()
    return (
        np.broadcast_to(aligned, (steps, *batch, width)),
        np.broadcast_to(initial, (*batch, initial.shape[-1])).copy(),
    )


def _on_disk(array: Any) -> bool:
    """Whether an array is, or is a view of, a memory-mapped file."""
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False
