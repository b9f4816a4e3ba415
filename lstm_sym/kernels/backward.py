"""Tangents forwards, cotangents backwards: the same local slopes, swept over the graph in either direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from lstm_sym.calculus.derive import local_derivatives
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Cell, Elementwise, Node
from lstm_sym.checks import finite, real_scalar, unknown_name
from lstm_sym.functions import Array
from lstm_sym.kernels.forward import Values, split
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.schedule import ancestors, entering

Slopes = Mapping[tuple[str, str], Array]
Loss = Callable[[Mapping[str, Array]], tuple[float, Mapping[str, Any]]]


@dataclass(frozen=True)
class Gradient:
    """The gradient of a loss: ``parameters`` by name, ``inputs`` (T, ..., m), ``initial`` (..., S); and its value.

    ``value`` is None where the loss was given by its derivatives alone.
    """

    value: float | None
    parameters: dict[str, Array]
    inputs: Array
    initial: Array


class LocalSlopes:
    """∂node/∂vector for every elementwise node, all in one compiled function."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        local = {n.name: local_derivatives(n) for n in nodes if isinstance(n, Elementwise)}
        self._expressions = {(node, name): d for node, by_name in local.items() for name, d in by_name.items()}
        self._coefficients = Coefficients("slopes", [Term((d,)) for d in self._expressions.values()])
        self.source = self._coefficients.source

    def __call__(self, values: Values, parameters: Parameters) -> Slopes:
        """The slopes' numbers; constants stay scalars."""
        numbers = self._coefficients(values, parameters)
        return {place: np.asarray(numbers[d]) for place, d in self._expressions.items()}


def push_forward(nodes: Sequence[Node], parameters: Parameters, slopes: Slopes, tangents: Values) -> None:
    """Add the tangent of every node to ``tangents``; vectors that it lacks have tangent zero."""
    for node in nodes:
        if isinstance(node, Affine):
            parts = [tangents[v] @ parameters[w].T for w, v in node.products if v in tangents]
        else:
            parts = [
                slopes[node.name, v] * tangents[v] for v in node.reads if v in tangents and (node.name, v) in slopes
            ]
        if parts:
            tangents[node.name] = sum(parts[1:], parts[0])


def pull_back(nodes: Sequence[Node], parameters: Parameters, slopes: Slopes, cotangents: Values) -> None:
    """Add the cotangent of every vector that ``nodes`` read to ``cotangents``, last node first."""
    for node in reversed(nodes):
        delta = cotangents.get(node.name)
        if delta is None:
            continue
        if isinstance(node, Affine):
            for weight, vector in node.products:
                _add(cotangents, vector, delta @ parameters[weight])
        else:
            for vector in node.reads:
                if (node.name, vector) in slopes:
                    _add(cotangents, vector, slopes[node.name, vector] * delta)


def _add(total: Values, name: str, part: Array) -> None:
    total[name] = total[name] + part if name in total else part


def _sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """``array`` summed over the axes along which ``shape`` was broadcast to it."""
    extra = array.ndim - len(shape)
    axes = (*range(extra), *(extra + k for k, n in enumerate(shape) if n == 1 and array.shape[extra + k] != 1))
    return array.sum(axis=axes).reshape(shape) if axes else array


class BackPropagation:
    """BPTT for one cell: a recursion over time for what is recurrent, whole-trajectory products for the rest."""

    def __init__(self, cell: Cell, state_slopes: LocalSlopes) -> None:
        self.cell = cell
        self._recurrent = ancestors(cell, cell.states)
        self._rest = tuple(node for node in cell.nodes if node not in self._recurrent)
        self._state_slopes = state_slopes
        self._slopes = LocalSlopes(cell.nodes)

    def gradient(
        self,
        parameters: Parameters,
        inputs: Array,
        initial: Array,
        values: Values,
        seeds: Values,
        loss: float | None,
    ) -> Gradient:
        """The gradient from ``seeds``, the loss's derivative by named vectors, each (T, ..., n)."""
        outputs = parameters.has_outputs
        slopes = (self._slopes if outputs else self._state_slopes)(values, parameters)
        cotangents = dict(seeds)
        if outputs:
            pull_back(self._rest, parameters, slopes, cotangents)
        carry = self._through_time(parameters, slopes, cotangents, values)
        by_name = self._by_parameter(parameters, slopes, values, cotangents)
        parts = [cotangents[name] for name in self.cell.inputs]
        drive = np.concatenate(parts, axis=-1) if parts else np.zeros(inputs.shape)
        return Gradient(loss, by_name, _sum_to(drive, inputs.shape), _sum_to(carry, initial.shape))

    def _through_time(self, parameters: Parameters, slopes: Slopes, cotangents: Values, values: Values) -> Array:
        """Fills ``cotangents`` (T, ..., n) of recurrent nodes and inputs; returns that of the initial state."""
        entering_names = entering(self.cell)
        T = len(next(iter(values.values())))
        names = (*(node.name for node in self._recurrent), *entering_names, *self.cell.inputs)
        seeds = {name: cotangents.get(name) for name in names}
        shapes = {name: values[name].shape for name in seeds}
        batch = np.broadcast_shapes(*(shape[1:-1] for shape in shapes.values()))
        dtype = np.result_type(parameters.dtype, *(s for s in seeds.values() if s is not None))
        collected = {name: np.zeros((T, *batch, shapes[name][-1]), dtype) for name in seeds}
        carry: Values = {}
        for t in reversed(range(T)):
            now = {name: np.asarray(seed[t]) for name, seed in seeds.items() if seed is not None}
            for state, name in zip(self.cell.states, entering_names, strict=True):
                if name in carry:
                    _add(now, state, carry[name])
            at_t = {place: slope[t] if slope.ndim > 1 else slope for place, slope in slopes.items()}
            pull_back(self._recurrent, parameters, at_t, now)
            for name in collected:
                if name in now:
                    collected[name][t] = now[name]
            carry = {name: now[name] for name in entering_names if name in now}
        cotangents.update(collected)
        return np.concatenate([collected[name][0] for name in entering_names], axis=-1)

    def _by_parameter(
        self, parameters: Parameters, slopes: Slopes, values: Values, cotangents: Values
    ) -> dict[str, Array]:
        """∂loss/∂W = Σ_t δ v^T, one matrix product over all of time; ∂loss/∂b = Σ_t δ."""
        found = {name: np.zeros_like(array) for name, array in parameters.items()}
        for node in self.cell.nodes:
            delta = cotangents.get(node.name)
            if delta is None:
                continue
            if isinstance(node, Affine):
                flat = delta.reshape(-1, delta.shape[-1])
                for weight, vector in node.products:
                    source = np.broadcast_to(values[vector], (*delta.shape[:-1], values[vector].shape[-1]))
                    found[weight] = found[weight] + flat.T @ source.reshape(-1, source.shape[-1])
                for bias in node.biases:
                    found[bias] = found[bias] + flat.sum(axis=0)
            else:
                for name in node.reads:
                    if name in parameters and (node.name, name) in slopes:
                        found[name] = found[name] + _sum_to(slopes[node.name, name] * delta, found[name].shape)
        return found


LOSS_FORM = "a loss returns (value, {name: derivative}) with names of vectors, for example 0.5, {'y': error}."


def evaluated_loss(cell: Cell, loss: Loss | Mapping[str, Any], values: Values) -> tuple[float | None, Values]:
    """(value, derivatives by named vector, each broadcast to that vector's shape), checked."""
    value, given = _called(loss, values) if callable(loss) else (None, loss)
    if not isinstance(given, Mapping):
        raise TypeError(LOSS_FORM)
    seeds: Values = {}
    known = ("state", *(node.name for node in cell.nodes if node.name in values))
    for name, derivative in given.items():
        if name not in known:
            raise unknown_name(f"vector of {cell.name}", name, known)
        array = finite(f"the loss's derivative by {name}", derivative)
        parts = cell.states if name == "state" else (name,)
        batch = np.broadcast_shapes(*(values[part].shape[:-1] for part in parts))
        expected = (*batch, sum(values[part].shape[-1] for part in parts))
        try:
            array = np.broadcast_to(array, expected)
        except ValueError:
            message = f"the loss's derivative by {name} has shape {array.shape}: expected {expected}."
            raise ValueError(message) from None
        sizes = {cell.sizes[part]: values[part].shape[-1] for part in parts}
        for vector, part in split(cell, parts, array, sizes).items():
            _add(seeds, vector, part)
    return value, seeds


def _called(loss: Loss, values: Values) -> tuple[float, Any]:
    answer = loss(MappingProxyType(values))
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(LOSS_FORM)
    return real_scalar("the loss", answer[0]), answer[1]
