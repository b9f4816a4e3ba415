"""Parameters of a cell as arrays: checked, drawn at random, and packed for the kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_sym.cell import Affine, Cell
from lstm_sym.cell.graph import TRANSPOSE, base
from lstm_sym.cell.order import ancestors
from lstm_sym.checks import finite, generator, real_scalar, size, unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import layer_of


class Parameters(Mapping[str, Array]):
    """Checked parameters of one cell: a read-only mapping from names to read-only arrays of one dtype.

    ``sizes`` gives the length behind every size name. Made by ``Kernel`` from any mapping of arrays.
    """

    def __init__(self, cell: Cell, given: Mapping[str, Any]) -> None:
        if not isinstance(given, Mapping):
            raise TypeError(f"parameters is a {type(given).__name__}: expected a dict of arrays by name.")
        arrays = _checked(cell, given)
        self.cell = cell
        self.sizes = _sizes(cell, arrays)
        deciding = (a for name, a in arrays.items() if name not in cell.constants or a.dtype.kind == "c")
        self.dtype = np.result_type(*deciding)
        self._arrays: dict[str, Array] = {}
        for name in cell.parameters:
            if name in arrays:
                array = np.array(arrays[name], dtype=self.dtype, order="C")
                array.flags.writeable = False
                self._arrays[name] = array
        self.has_outputs = all(name in arrays for name in cell.parameters)
        self._stacks: dict[tuple[str | tuple[str, ...], ...], Array] = {}
        self._log_determinants: dict[str, float] = {}

    def __getitem__(self, name: str) -> Array:
        if name in self._arrays:
            return self._arrays[name]
        if name.endswith(TRANSPOSE):
            return self[base(name)].T
        raise unknown_name("parameter", name, self._arrays)

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {'×'.join(map(str, array.shape))}" for name, array in self._arrays.items())
        return f"Parameters({shapes}; {self.dtype})"

    def stacked(self, groups: Sequence[tuple[str, ...]]) -> Array:
        """Σ of each group's matrices, on top of each other: (Σ rows, columns)."""
        key: tuple[str | tuple[str, ...], ...] = tuple(groups)
        if key not in self._stacks:
            self._stacks[key] = np.concatenate(
                [sum(map(self.__getitem__, names[1:]), self[names[0]]) for names in groups]
            )
        return self._stacks[key]

    def across(self, groups: Sequence[tuple[str, ...]]) -> Array:
        """The transpose of ``stacked``, (columns, Σ rows), contiguous: v @ it applies the matrices to a row v."""
        key: tuple[str | tuple[str, ...], ...] = ("across", *groups)
        if key not in self._stacks:
            self._stacks[key] = np.ascontiguousarray(self.stacked(groups).T)
        return self._stacks[key]

    def biases(self, groups: Sequence[tuple[str, ...]]) -> Array:
        """Σ of each group's biases, side by side; a group is the name of a size and those of the biases, if any."""
        key: tuple[str | tuple[str, ...], ...] = ("biases", *groups)
        if key not in self._stacks:
            parts = [sum(map(self.__getitem__, names), np.zeros(self.sizes[s], self.dtype)) for s, *names in groups]
            self._stacks[key] = np.concatenate(parts)
        return self._stacks[key]

    def log_determinant(self, name: str) -> float:
        """log|det| of a square matrix; −inf if it is exactly singular, as a matrix of the doubles that it holds."""
        if name not in self._log_determinants:
            matrix = np.asarray(self[name], dtype=np.result_type(self.dtype, np.float64))
            singular = np.linalg.cond(matrix) > 1e12 and exactly_singular(matrix)
            self._log_determinants[name] = -np.inf if singular else float(np.linalg.slogdet(matrix)[1])
        return self._log_determinants[name]


#: Primes of 31 bits: a determinant that is 0 modulo all of them is 0, but for a chance of 1e-27.
PRIMES = (2147483647, 2147483629, 2147483587)


def exactly_singular(matrix: Array) -> bool:
    """Whether det = 0 exactly: doubles are integers times a power of two, eliminated modulo primes."""
    if matrix.dtype.kind == "c":
        return False
    mantissas, exponents = np.frexp(matrix)
    integers = (mantissas * 2.0**53).astype(np.int64)
    shifts = exponents - exponents.min()
    return all(_zero_determinant(integers, shifts, prime) for prime in PRIMES)


def _zero_determinant(integers: Array, shifts: Array, prime: int) -> bool:
    powers = np.array([pow(2, int(k), prime) for k in shifts.ravel()], dtype=np.int64).reshape(shifts.shape)
    rows = (integers % prime) * powers % prime
    for k in range(len(rows)):
        pivots = np.flatnonzero(rows[k:, k]) + k
        if not pivots.size:
            return True
        rows[[k, pivots[0]]] = rows[[pivots[0], k]]
        factors = rows[k + 1 :, k] * pow(int(rows[k, k]), -1, prime) % prime
        rows[k + 1 :] = (rows[k + 1 :] - factors[:, None] * rows[k] % prime) % prime
    return False


def state_parameters(cell: Cell) -> tuple[str, ...]:
    """The parameters without which no state can be computed: all but an output layer's."""
    nodes = ancestors(cell, cell.states)
    needed: set[str] = set()
    for node in nodes:
        needed.update(
            (*(base(factor) for factor, _ in node.products), *node.biases)
            if isinstance(node, Affine)
            else node.reads
        )
    return tuple(name for name in cell.parameters if name in needed)


def _checked(cell: Cell, given: Mapping[str, Any]) -> dict[str, Array]:
    """Names known, nothing missing, finite, the right number of axes."""
    for name in given:
        if name not in cell.parameters:
            raise unknown_name(f"parameter of {cell.name}", name, cell.parameters)
    required = state_parameters(cell)
    optional = [name for name in cell.parameters if name not in required]
    wanted = (*required, *optional) if any(name in given for name in optional) else required
    if missing := [name for name in wanted if name not in given]:
        raise ValueError(f"parameters lack {', '.join(missing)}: {cell.name} needs {', '.join(wanted)}.")
    arrays = {name: finite(name, given[name]) for name in wanted}
    for name, array in arrays.items():
        axes = ("rows", "columns") if name in cell.weights else () if name in cell.constants else ("entries",)
        if array.ndim != len(axes):
            expected = f"{len(axes)} axes, ({', '.join(axes)})" if axes else "one number"
            raise ValueError(f"{name} has shape {array.shape}: expected {expected}.")
        if 0 in array.shape:
            raise ValueError(f"{name} has shape {array.shape}: expected at least one {' and one '.join(axes)}.")
    return arrays


def axis_sizes(cell: Cell, name: str) -> tuple[str, ...]:
    """The size names of a parameter's axes."""
    weight = cell.weights.get(name)
    if weight:
        return weight.rows, weight.columns
    return () if name in cell.constants else (cell.sizes[name],)


def _sizes(cell: Cell, arrays: Mapping[str, Array]) -> dict[str, int]:
    """The length behind every size name: what most parameters say; those that say otherwise are refused."""
    votes: dict[str, Counter[int]] = {}
    for name, array in arrays.items():
        for axis, length in zip(axis_sizes(cell, name), array.shape, strict=True):
            votes.setdefault(axis, Counter())[length] += 1
    sizes = {axis: counter.most_common(1)[0][0] for axis, counter in votes.items()}
    for name, array in arrays.items():
        axes = axis_sizes(cell, name)
        expected = tuple(sizes[axis] for axis in axes)
        if array.shape != expected:
            raise ValueError(f"{name} has shape {array.shape}: expected {expected}, ({', '.join(axes)}).")
    return sizes


def draw(
    cell: Cell,
    sizes: Mapping[str, int | None],
    rng: np.random.Generator | int | None,
    gain: float,
    dtype: Any,
    given: Mapping[str, Any],
) -> dict[str, Array]:
    """Random weights, zero biases, and what is given by name; see ``Kernel.parameters``."""
    random = generator(rng)
    gain = real_scalar("gain", gain)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype = {np.dtype(dtype)}: expected float32 or float64.")
    for name in given:
        if name not in cell.parameters:
            raise unknown_name(f"parameter of {cell.name}", name, cell.parameters)
    lengths = _lengths(cell, sizes, given)
    inputs = {cell.sizes[name] for name in cell.inputs}
    drawn: dict[str, Array] = {}
    for name in cell.parameters:
        axes = axis_sizes(cell, name)
        if any(axis not in lengths for axis in axes):
            continue
        shape = tuple(lengths[axis] for axis in axes)
        if name in cell.weights:
            from_below = axes[1] in inputs or (layer_of(name) and name.startswith("W_x"))
            scale = (1.0 if from_below else gain) / np.sqrt(shape[1])
            values = scale * random.standard_normal(shape)
        else:
            values = np.full(shape, cell.constants.get(name, 0.0))
        drawn[name] = _override(name, values, given, axes).astype(dtype)
    return drawn


def _lengths(cell: Cell, sizes: Mapping[str, int | None], given: Mapping[str, Any]) -> dict[str, int]:
    """The sizes that are known: those given, and an output layer's from an array for it."""
    lengths = {name: size(name, length) for name, length in sizes.items() if length is not None}
    for name, value in given.items():
        for place, axis in enumerate(axis_sizes(cell, name)):
            if axis not in lengths:
                if np.ndim(value) <= place:
                    raise ValueError(f"{name} = {value!r} needs a size: give outputs= as well, or an array.")
                lengths[axis] = np.shape(value)[place]
    return lengths


def _override(name: str, values: Array, given: Mapping[str, Any], axes: tuple[str, ...]) -> Array:
    if name not in given:
        return values
    array = finite(name, given[name])
    if array.dtype.kind == "c":
        raise TypeError(f"{name} is complex: expected real numbers. Make the dict real, then change it.")
    if array.ndim and array.shape != values.shape:
        raise ValueError(
            f"{name} has shape {array.shape}: expected a number or {values.shape}, ({', '.join(axes)})."
        )
    return np.broadcast_to(array, values.shape)
