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
from lstm_sym.kernels.forward import Run, Values, split
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.recursion import Anchors, Recursion, add_vector, add_weight

Slopes = Mapping[tuple[str, str], Array | float]
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
        return {place: numbers[d] for place, d in self._expressions.items()}


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


class BackPropagation:
    """BPTT for one cell: a recursion over time for what is recurrent, whole-trajectory products for the rest."""

    def __init__(self, cell: Cell) -> None:
        self.anchors = Anchors(cell)
        self._others = tuple(node for node in cell.nodes if node not in self.anchors.nodes)
        self._slopes = {node.name: LocalSlopes((node,)) for node in self._others if isinstance(node, Elementwise)}

    def gradient(self, parameters: Parameters, run: Run, seeds: Values, loss: float | None) -> Gradient:
        """The gradient from ``seeds``, the loss's derivative by named vectors, each (T, ..., n)."""
        found: Values = {name: np.zeros_like(array) for name, array in parameters.items()}
        cotangents = {name: run.flattened(seed) for name, seed in seeds.items()}
        for node in reversed(self._others):
            if node.name in cotangents:
                slopes = self._slopes[node.name](run.values, parameters) if node.name in self._slopes else {}
                pull_back((node,), parameters, slopes, cotangents)
                _by_parameter(node, parameters, slopes, run.values, cotangents.pop(node.name), found)
        recursion = Recursion(self.anchors, parameters, run.values, cotangents, found)
        return Gradient(loss, found, *run.as_given(recursion.inputs, recursion.initial))


def _by_parameter(
    node: Node, parameters: Parameters, slopes: Slopes, values: Values, delta: Array, found: Values
) -> None:
    """Add a node's part to ∂loss/∂W = Σ_t δ v^T, one matrix product over all of time, and to ∂loss/∂b = Σ_t δ."""
    if isinstance(node, Affine):
        flat = delta.reshape(-1, delta.shape[-1])
        for factor, vector in node.products:
            add_weight(found, factor, flat.T @ values[vector].reshape(-1, values[vector].shape[-1]))
        for bias in node.biases:
            found[bias] = found[bias] + flat.sum(axis=0)
        return
    for name in node.reads:
        if name in parameters and (node.name, name) in slopes:
            add_vector(found, name, slopes[node.name, name] * delta)


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


def _read_only(array: Array) -> Array:
    """A view that cannot be written to: the backward pass reads these arrays again."""
    view = array.view()
    view.flags.writeable = False
    return view


def _called(loss: Loss, values: Values) -> tuple[float, Any]:
    answer = loss(MappingProxyType({name: _read_only(array) for name, array in values.items()}))
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(LOSS_FORM)
    return real_scalar("the loss", answer[0]), answer[1]
