"""The forward pass: every named quantity of a step, for any leading batch axes, and whole trajectories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from lstm_sym.cell import Cell
from lstm_sym.cell.order import Product
from lstm_sym.functions import FORMS, Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.schedule import Stage, entering

#: Floats of input drive kept at a time while a trajectory is unrolled: 8 MB.
CHUNK = 1_000_000

#: Floats of state that are evaluated at a time where many steps are at hand: what is made of them stays in cache.
PIECE = 16_384

Values = dict[str, Array]


def split(cell: Cell, names: Sequence[str], stacked: Array, sizes: Mapping[str, int]) -> Values:
    """A stacked array (..., Σ sizes) as its named parts (..., n), views."""
    parts, start = {}, 0
    for name in names:
        stop = start + sizes[cell.sizes[name]]
        parts[name] = stacked[..., start:stop]
        start = stop
    return parts


def apply_stage(cell: Cell, stage: Stage, parameters: Parameters, values: Values) -> None:
    """Add the stage's vectors to ``values``."""
    if stage.affines:
        total = _preactivations(cell, stage, parameters, values)
        values.update(split(cell, [node.name for node in stage.affines], total, parameters.sizes))
        for gates, span in zip(stage.gates, _spans(cell, stage, parameters), strict=True):
            values.update(split(cell, gates.results, FORMS[gates.form](total[..., span]), parameters.sizes))
    if stage.results:
        arguments = [values[name] if name in values else parameters[name] for name in stage.arguments]
        values.update(zip(stage.results, stage.block(*arguments), strict=True))


def spans(cell: Cell, order: Sequence[str], runs: Iterable[Sequence[str]], sizes: Mapping[str, int]) -> list[slice]:
    """Where each run of neighbours stands, when the vectors ``order`` are side by side."""
    places, start = {}, 0
    for name in order:
        places[name] = (start, start := start + sizes[cell.sizes[name]])
    return [slice(places[run[0]][0], places[run[-1]][1]) for run in runs]


def _spans(cell: Cell, stage: Stage, parameters: Parameters) -> list[slice]:
    order = [node.name for node in stage.affines]
    return spans(cell, order, [gates.affines for gates in stage.gates], parameters.sizes)


def _preactivations(cell: Cell, stage: Stage, parameters: Parameters, values: Values) -> Array:
    """Σ W v + b for all affine nodes of the stage side by side."""
    read = [values[product.vector] for product in stage.products]
    batch = np.broadcast_shapes(*(value.shape[:-1] for value in read))
    height = sum(parameters.sizes[cell.sizes[node.name]] for node in stage.affines)
    total = np.empty((*batch, height), np.result_type(parameters.dtype, *read))
    _fill(cell, stage, stage.products, parameters, values, total)
    return total


def _fill(
    cell: Cell, stage: Stage, products: Sequence[Product], parameters: Parameters, values: Values, total: Array
) -> None:
    """total = Σ W v + b over some of the stage's products; the first that fills all of it goes straight there."""
    order = [node.name for node in stage.affines]
    whole = [p for p in products if len(p.nodes) == len(order) and values[p.vector].ndim == total.ndim]
    first = next((p for p in whole if values[p.vector].shape[:-1] == total.shape[:-1]), None)
    biases = parameters.biases([(cell.sizes[node.name], *node.biases) for node in stage.affines])
    if first is None:
        total[...] = biases
    else:
        np.matmul(values[first.vector], parameters.across(first.weights), out=total)
        total += biases
    places = spans(cell, order, [product.nodes for product in products], parameters.sizes)
    for product, place in zip(products, places, strict=True):
        if product is first:
            continue
        total[..., place] += values[product.vector] @ parameters.across(product.weights)


def evaluate(cell: Cell, plan: Sequence[Stage], parameters: Parameters, x: Array, state: Array) -> Values:
    """Inputs, entering states and every vector of the plan's stages, each (..., n)."""
    values = split(cell, cell.inputs, x, parameters.sizes)
    values |= split(cell, entering(cell), state, parameters.sizes)
    for stage in plan:
        apply_stage(cell, stage, parameters, values)
    return values


def pieces(batch: tuple[int, ...], x: Array, state: Array) -> Iterator[tuple[Any, Array, Array]]:
    """(index, x, state) of runs of the leading axis of ``batch``, to which x and state broadcast."""
    if not batch:
        yield (), x, state
        return
    run = max(1, PIECE // max(1, int(np.prod(batch[1:])) * state.shape[-1]))
    for start in range(0, batch[0], run):
        part = slice(start, start + run)
        yield part, _part(x, part, len(batch)), _part(state, part, len(batch))


def _part(array: Array, part: slice, axes: int) -> Array:
    """A run of the leading one of ``axes`` axes, where ``array`` has it."""
    return array[part] if array.ndim > axes and len(array) > 1 else array


def stacked_state(cell: Cell, values: Values, batch: tuple[int, ...]) -> Array:
    """The new states side by side, (*batch, S)."""
    parts = [np.broadcast_to(values[name], (*batch, values[name].shape[-1])) for name in cell.states]
    return np.concatenate(parts, axis=-1)


class Run:
    """A run over time: its states, and with ``keep`` every vector that they depend on, each (T, members, n).

    The batch axes are one, ``members``, or none where there is no batch.  What inputs contribute is one matrix
    product per chunk of time; a step adds to it what the state contributes, in place.
    """

    def __init__(
        self, cell: Cell, plan: Sequence[Stage], parameters: Parameters, inputs: Array, initial: Array, keep: bool
    ) -> None:
        self.batch = np.broadcast_shapes(inputs.shape[1:-1], initial.shape[:-1])
        self._shapes = inputs.shape, initial.shape
        members = (int(np.prod(self.batch)),) if self.batch else ()
        T, S = len(inputs), initial.shape[-1]
        self._cell, self._plan, self._parameters = cell, plan, parameters
        wide = np.broadcast_to(with_axes(inputs, len(self.batch)), (T, *self.batch, inputs.shape[-1]))
        self._inputs = wide.reshape(T, *members, inputs.shape[-1])
        dtype = np.result_type(parameters.dtype, inputs, initial)
        self._all = np.empty((T + 1, *members, S), dtype)
        self._all[0] = np.broadcast_to(initial, (*self.batch, S)).reshape(*members, S)
        sizes = parameters.sizes
        self._before = split(cell, entering(cell), self._all[:-1], sizes)
        self._after = split(cell, cell.states, self._all[1:], sizes)
        self.values: Values = {}
        rows = sum(sizes[cell.sizes[node.name]] for stage in plan for node in stage.affines)
        chunk = T if keep else max(1, CHUNK // (max(1, rows) * max(1, int(np.prod(members)))))
        for start in range(0, T, chunk):
            self._roll(start, min(T, start + chunk), keep)
        if keep:
            self.values |= split(cell, cell.inputs, self._inputs, sizes) | self._before | self._after

    @property
    def states(self) -> Array:
        """The states after each step, (T, ..., S)."""
        return self.unflattened(self._all[1:])

    def flattened(self, array: Array) -> Array:
        """(T, ..., n) with the batch axes as one."""
        return array.reshape(*self._all[1:].shape[:-1], array.shape[-1])

    def unflattened(self, array: Array) -> Array:
        """(T, members, n) with the batch axes as they were given."""
        return array.reshape(len(array), *self.batch, array.shape[-1])

    def as_given(self, inputs: Array, initial: Array) -> tuple[Array, Array]:
        """Gradients by inputs (T, members, m) and initial state (members, S), in the shapes of these."""
        shape, start = self._shapes
        wide = _sum_to(self.unflattened(inputs), (shape[0], *(1,) * (len(self.batch) + 2 - len(shape)), *shape[1:]))
        return wide.reshape(shape), _sum_to(initial.reshape(*self.batch, initial.shape[-1]), start)

    def _roll(self, start: int, stop: int, keep: bool) -> None:
        """The steps from ``start`` to ``stop``."""
        given = split(self._cell, self._cell.inputs, self._inputs[start:stop], self._parameters.sizes)
        before = {name: array[start:stop] for name, array in self._before.items()}
        after = [(name, array[start:stop]) for name, array in self._after.items()]
        read = {name for stage in self._plan for name in (*stage.arguments, *(p.vector for p in stage.products))}
        read.update(self._after)
        loops = [_Loop(self._cell, stage, self._parameters, given, before, read, keep) for stage in self._plan]
        views = [(name, array) for name, array in {**given, **before}.items() if name in read]
        now: Values = dict(self._parameters)
        for t in range(stop - start):
            for name, array in views:
                now[name] = array[t]
            for loop in loops:
                loop(t, now)
            for name, array in after:
                array[t] = now[name]
        if keep:
            for loop in loops:
                self.values |= loop.vectors


class _Loop:
    """One stage, step after step, in place: pre-activations and gates have their memory beforehand."""

    def __init__(
        self,
        cell: Cell,
        stage: Stage,
        parameters: Parameters,
        given: Values,
        before: Values,
        read: Set[str],
        keep: bool,
    ) -> None:
        sizes, some = parameters.sizes, next(iter(before.values()))
        self._stage, shape = stage, some.shape[:-1]
        names = [node.name for node in stage.affines]
        room = {name: np.empty((*shape, sizes[cell.sizes[name]]), some.dtype) for name in stage.results if keep}
        self._kept = [(name, array) for name, array in room.items() if name not in cell.states]
        total = np.empty((*shape, sum(sizes[cell.sizes[name]] for name in names)), some.dtype)
        if names:
            fixed = [product for product in stage.products if product.vector in given]
            _fill(cell, stage, fixed, parameters, given, total)
        moving = [product for product in stage.products if product.vector not in given]
        self._products = []
        for product, place in zip(moving, spans(cell, names, [p.nodes for p in moving], sizes), strict=True):
            target = total[..., place]
            part = np.empty(target.shape[1:], some.dtype)
            self._products.append((product.vector, parameters.across(product.weights), target, part))
        self.vectors: Values = split(cell, names, total, sizes) | dict(self._kept)
        self._gates = []
        for gates, place in zip(stage.gates, _spans(cell, stage, parameters), strict=True):
            result = np.empty(total[..., place].shape, some.dtype)
            self._gates.append((FORMS[gates.form], total[..., place], result))
            self.vectors |= split(cell, gates.results, result, sizes)
        given_now = read - {name for name, _ in self._kept}
        self._views = [(name, array) for name, array in self.vectors.items() if name in given_now]

    def __call__(self, t: int, now: Values) -> None:
        """Add the stage's vectors at step t to those that there are ``now``."""
        for vector, weights, target, part in self._products:
            np.matmul(now[vector], weights, out=part)
            total = target[t]
            total += part
        for form, argument, result in self._gates:
            form(argument[t], out=result[t])
        for name, array in self._views:
            now[name] = array[t]
        stage = self._stage
        if stage.results:
            now.update(zip(stage.results, stage.block(*[now[name] for name in stage.arguments]), strict=True))
        for name, array in self._kept:
            array[t] = now[name]


def _sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """``array`` summed over the axes along which ``shape`` was broadcast to it."""
    extra = array.ndim - len(shape)
    axes = (*range(extra), *(extra + k for k, n in enumerate(shape) if n == 1 and array.shape[extra + k] != 1))
    return array.sum(axis=axes).reshape(shape) if axes else array


def with_axes(array: Array, axes: int) -> Array:
    """(T, ..., n) as (T, 1, ..., n), with ``axes`` axes between time and vector."""
    missing = axes + 2 - array.ndim
    return array.reshape(len(array), *(1,) * missing, *array.shape[1:])
