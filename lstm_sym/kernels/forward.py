"""The forward pass: every named quantity of a step, for any leading batch axes, and whole trajectories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_sym.cell import Cell
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.schedule import Stage, entering

#: Floats of input drive kept at a time while a trajectory is unrolled: 32 MB.
CHUNK = 4_000_000

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


def apply_stage(
    cell: Cell, stage: Stage, parameters: Parameters, values: Values, drive: Array | None = None
) -> None:
    """Add the stage's vectors to ``values``; ``drive`` (..., Σ rows) is what inputs and biases contribute."""
    if stage.affines:
        total = _preactivations(cell, stage, parameters, values, drive)
        values.update(split(cell, [node.name for node in stage.affines], total, parameters.sizes))
    if stage.results:
        arguments = [values[name] if name in values else parameters[name] for name in stage.arguments]
        values.update(zip(stage.results, stage.block(*arguments), strict=True))


def _sources(stage: Stage) -> tuple[str, ...]:
    return tuple(dict.fromkeys(vector for node in stage.affines for vector in node.reads))


def _preactivations(cell: Cell, stage: Stage, parameters: Parameters, values: Values, drive: Array | None) -> Array:
    """Σ W v + b for all affine nodes of the stage side by side; one matrix product per vector where all read it."""
    total = drive
    for vector in _sources(stage):
        if drive is not None and vector in cell.inputs:
            continue
        part = _product(cell, stage, parameters, vector, values[vector])
        total = part if total is None else total + part
    if drive is None:
        total = total + _biases(cell, stage, parameters)
    return np.asarray(total)


def _product(cell: Cell, stage: Stage, parameters: Parameters, vector: str, value: Array) -> Array:
    """W v for every affine node of the stage, zero for those that do not read ``vector``."""
    weights = [[weight for weight, source in node.products if source == vector] for node in stage.affines]
    if all(len(names) == 1 for names in weights):
        return np.asarray(value @ parameters.stacked([names[0] for names in weights]))
    parts = []
    for node, names in zip(stage.affines, weights, strict=True):
        rows = parameters.sizes[cell.sizes[node.name]]
        zero = np.zeros((*value.shape[:-1], rows), np.result_type(value, parameters.dtype))
        parts.append(sum((value @ parameters[name].T for name in names), zero))
    return np.concatenate(parts, axis=-1)


def _biases(cell: Cell, stage: Stage, parameters: Parameters) -> Array:
    parts = []
    for node in stage.affines:
        zero = np.zeros(parameters.sizes[cell.sizes[node.name]], parameters.dtype)
        parts.append(sum((parameters[name] for name in node.biases), zero))
    return np.concatenate(parts)


def evaluate(cell: Cell, plan: Sequence[Stage], parameters: Parameters, x: Array, state: Array) -> Values:
    """Inputs, entering states and every vector of the plan's stages, each (..., n)."""
    values = split(cell, cell.inputs, x, parameters.sizes)
    values |= split(cell, entering(cell), state, parameters.sizes)
    for stage in plan:
        apply_stage(cell, stage, parameters, values)
    return values


def pieces(batch: tuple[int, ...], x: Array, state: Array) -> Iterator[tuple[Any, Array, Array]]:
    """(index, x, state) of runs of the leading axis of ``batch``, to which x (..., m) and state (..., S) broadcast."""
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


def stacked_state(cell: Cell, values: Values, batch: tuple[int, ...], out: Array | None = None) -> Array:
    """The new states side by side, (*batch, S)."""
    parts = [np.broadcast_to(values[name], (*batch, values[name].shape[-1])) for name in cell.states]
    return np.concatenate(parts, axis=-1, out=out)


def unroll(cell: Cell, plan: Sequence[Stage], parameters: Parameters, inputs: Array, initial: Array) -> Array:
    """States after each step, (T, ..., S); what inputs contribute is one matrix product per chunk of time."""
    batch = np.broadcast_shapes(inputs.shape[1:-1], initial.shape[:-1])
    dtype = np.result_type(parameters.dtype, inputs, initial)
    states = np.empty((len(inputs), *batch, initial.shape[-1]), dtype)
    rows = sum(parameters.sizes[cell.sizes[node.name]] for stage in plan for node in stage.affines)
    chunk = max(1, CHUNK // (rows * max(1, int(np.prod(inputs.shape[1:-1])))))
    state = np.broadcast_to(initial, (*batch, initial.shape[-1]))
    for start in range(0, len(inputs), chunk):
        block = inputs[start : start + chunk]
        drives = [_drive(cell, stage, parameters, block) for stage in plan]
        given = split(cell, cell.inputs, block, parameters.sizes)
        for t in range(len(block)):
            values = split(cell, entering(cell), state, parameters.sizes)
            values |= {name: array[t] for name, array in given.items()}
            for stage, drive in zip(plan, drives, strict=True):
                apply_stage(cell, stage, parameters, values, None if drive is None else drive[t])
            state = stacked_state(cell, values, batch, out=states[start + t])
    return states


def _drive(cell: Cell, stage: Stage, parameters: Parameters, inputs: Array) -> Array | None:
    """What inputs and biases contribute to the stage's pre-activations, for a whole chunk of time."""
    if not stage.affines:
        return None
    given = split(cell, cell.inputs, inputs, parameters.sizes)
    parts = [_product(cell, stage, parameters, v, given[v]) for v in _sources(stage) if v in cell.inputs]
    biases = _biases(cell, stage, parameters)
    if not parts:
        return np.broadcast_to(biases, (*inputs.shape[:-1], len(biases)))
    return np.asarray(sum(parts) + biases)
