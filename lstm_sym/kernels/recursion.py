"""Back-propagation through time in numbers: the recursion over the steps, and the sums that it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import sympy as sp

from lstm_sym.calculus.adjoints.backpropagation import adjoint
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Cell, Elementwise, Node
from lstm_sym.cell.graph import TRANSPOSE, base
from lstm_sym.cell.order import products
from lstm_sym.functions import Array
from lstm_sym.kernels.forward import Values, spans, split
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.notation import lagged

#: Floats of the pre-activations' cotangents that are at hand at a time.
CHUNK = 65_536

Step = Callable[[int], None]


class Anchors:
    """The recursion of one cell, as ``adjoint`` has it, laid out for numbers.

    ``nodes`` are those with a cotangent that the states depend on, ``local[v][u]`` the derivative ∂v/∂u of an
    elementwise one. A step multiplies by few ``coefficients``, and by the weights of ``products``, side by side.
    """

    def __init__(self, cell: Cell) -> None:
        equations = adjoint(cell)
        self.cell = cell
        self.nodes = equations.recurrent
        self.local = {node.name: equations.local[node.name] for node in self.nodes if isinstance(node, Elementwise)}
        self.affines = _by_reader([n for n in self.nodes if isinstance(n, Affine)], self.local)
        self.products = products(self.affines)
        every = [Term((derivative,)) for by_name in self.local.values() for derivative in by_name.values()]
        self.coefficients = Coefficients("cotangents", every)


def _by_reader(affines: Sequence[Affine], local: Mapping[str, Collection[str]]) -> tuple[Affine, ...]:
    """Those that the same elementwise anchors read stand side by side."""
    return tuple(sorted(affines, key=lambda node: [node.name not in sources for sources in local.values()]))


class Recursion:
    """The recursion backwards over time, a chunk of it at a time, in memory that is the same for every chunk.

    ``seeds`` are the loss's derivatives by anchors, entering states and inputs, each (T, members, n); to ``found``,
    those by parameters, the recursion's part is added.  ``inputs`` (T, members, m) and ``initial`` (members, S) are
    the gradients by these.
    """

    def __init__(
        self, anchors: Anchors, parameters: Parameters, values: Values, seeds: Values, found: Values
    ) -> None:
        cell, some = anchors.cell, values[anchors.cell.states[0]]
        self._anchors, self._parameters, self._values, self._seeds = anchors, parameters, values, seeds
        self._found, self._members = found, some.shape[1:-1]
        self._dtype = np.result_type(parameters.dtype, some, *seeds.values())
        self._names = [node.name for node in anchors.affines]
        self._make_room(len(some))
        # Names whose cotangent a step finds begun, and must add to: by the loss, or by the step after it. As the
        # operations of a step are listed, in the order in which they run, those that they write to join them.
        states = set(cell.states) - set(self._names)
        self._written = {*seeds, *states, *(lagged(state) for state in cell.states if state in seeds)}
        # Where a coefficient's numbers go; and (vector, coefficients, cotangent) of inputs and parameters.
        self._fills: list[tuple[sp.Expr, Array]] = []
        self._ends: list[tuple[str, Array, Array]] = []
        steps = [step for node in reversed(anchors.nodes) for step in self._node(node)]
        self._steps = steps + [step for state in cell.states for step in self._gather(lagged(state))]
        for stop in range(len(some), 0, -self._chunk):
            self._sweep(max(0, stop - self._chunk), stop)
        self.initial = np.concatenate([self._states[state][0] for state in cell.states], axis=-1)

    # --- memory -------------------------------------------------------------------------------------------------

    def _size(self, name: str) -> int:
        return self._parameters.sizes[self._anchors.cell.sizes[name]]

    def _zeros(self, steps: int, height: int) -> Array:
        return np.zeros((steps, *self._members, height), self._dtype)

    def _make_room(self, T: int) -> None:
        """Cotangents by name: affine nodes' side by side; a state's with one step more, that of the next chunk."""
        cell = self._anchors.cell
        height = sum(map(self._size, self._names))
        self._chunk = min(T, max(1, CHUNK // (max(1, height) * max(1, int(np.prod(self._members))))))
        self._deltas = self._zeros(self._chunk, height)
        self._states = {state: self._zeros(self._chunk + 1, self._size(state)) for state in cell.states}
        self._at: Values = {state: array[1:] for state, array in self._states.items()}
        self._at |= {lagged(state): array[:-1] for state, array in self._states.items()}
        self._at |= split(cell, self._names, self._deltas, self._parameters.sizes)
        for node in self._anchors.nodes:
            if node.name not in self._at:
                self._at[node.name] = self._zeros(self._chunk, self._size(node.name))
        self.inputs = self._zeros(T, sum(map(self._size, cell.inputs)))
        self._inputs = split(cell, cell.inputs, self.inputs, self._parameters.sizes)
        for name, array in self._inputs.items():
            array[...] = self._seeds.get(name, 0.0)

    def _fresh(self, name: str) -> bool:
        """Whether nothing has been written to the cotangent of ``name`` yet; from now on something has."""
        fresh = name not in self._written
        self._written.add(name)
        return fresh

    def _side_by_side(self, nodes: Sequence[str]) -> Array:
        """The cotangents of affine nodes that are neighbours."""
        (place,) = spans(self._anchors.cell, self._names, [nodes], self._parameters.sizes)
        return self._deltas[..., place]

    # --- what a step does ---------------------------------------------------------------------------------------

    def _node(self, node: Node) -> list[Step]:
        """The cotangent of a node is completed and, where the node is elementwise, passed on."""
        steps = []
        if isinstance(node, Affine) and node.name in self._states:
            steps.append(_added(self._states[node.name][1:], self._at[node.name], self._fresh(node.name)))
        steps += self._gather(node.name)
        return steps + (self._scatter(node.name) if isinstance(node, Elementwise) else [])

    def _gather(self, vector: str) -> list[Step]:
        """From the affine nodes that read ``vector``: δ W, the weights on top of each other."""
        return [
            _applied(
                self._side_by_side(product.nodes),
                self._parameters.stacked(product.weights),
                self._at[vector],
                self._fresh(vector),
            )
            for product in self._anchors.products
            if product.vector == vector
        ]

    def _scatter(self, name: str) -> list[Step]:
        """To what an elementwise anchor reads: coefficient ∘ cotangent."""
        local, source = self._anchors.local[name], self._at[name]
        first = [affine for affine in self._names if affine in local and self._fresh(affine)]
        steps = []
        for run in _neighbours(first, self._names):
            target = self._side_by_side(run)
            wide = target.reshape(*target.shape[:-1], len(run), source.shape[-1])
            self._fills += [(local[affine], self._at[affine]) for affine in run]  # replaced by their products
            steps.append(_multiplied(wide, source[..., None, :], wide, True))
        for vector in local:
            if vector not in first:
                coefficients = self._zeros(self._chunk, source.shape[-1])
                self._fills.append((local[vector], coefficients))
                if vector in self._at:
                    steps.append(_multiplied(coefficients, source, self._at[vector], self._fresh(vector)))
                else:
                    self._ends.append((vector, coefficients, source))
        return steps

    # --- a chunk of time ----------------------------------------------------------------------------------------

    def _sweep(self, start: int, stop: int) -> None:
        """The steps from ``stop`` − 1 down to ``start``, and what they add to the gradients."""
        now = {name: array[start:stop] for name, array in self._values.items()}
        numbers = self._anchors.coefficients(now, self._parameters)
        for expression, place in self._fills:
            place[: stop - start] = numbers[expression]
        self._sow(start, stop)
        for t in reversed(range(stop - start)):
            for step in self._steps:
                step(t)
        self._harvest(now, start, stop)

    def _sow(self, start: int, stop: int) -> None:
        """The loss's derivatives, and what the steps after these leave."""
        shared = {lagged(state) for state in self._states}.union(self._states) - set(self._names)
        for state, array in self._states.items():
            later = array[0].copy()
            if state in self._seeds or lagged(state) in self._seeds or lagged(state) not in self._written:
                array[: stop - start + 1] = 0.0
            array[stop - start] = later
        for name, seed in self._seeds.items():
            if name in shared:
                self._at[name][: stop - start] += seed[start:stop]
            elif name in self._at:
                self._at[name][: stop - start] = seed[start:stop]

    def _harvest(self, now: Values, start: int, stop: int) -> None:
        """Gradients by inputs and parameters: sums over the chunk, matrix products with weights side by side."""
        steps = stop - start
        for product in self._anchors.products:
            deltas = _flat(self._side_by_side(product.nodes)[:steps])
            if product.vector in self._inputs:
                place = self._inputs[product.vector][start:stop]
                place += (deltas @ self._parameters.stacked(product.weights)).reshape(place.shape)
            gradient, first = deltas.T @ _flat(now[product.vector]), 0
            for node, weights in zip(product.nodes, product.weights, strict=True):
                rows = slice(first, first := first + self._size(node))
                for factor in weights:
                    add_weight(self._found, factor, gradient[rows])
        for affine in self._anchors.affines:
            for bias in affine.biases:
                self._found[bias] = self._found[bias] + _flat(self._at[affine.name][:steps]).sum(axis=0)
        for vector, coefficients, source in self._ends:
            part = coefficients[:steps] * source[:steps]
            if vector in self._inputs:
                self._inputs[vector][start:stop] += part
            else:
                add_vector(self._found, vector, part)


def add_weight(found: Values, factor: str, part: Array) -> None:
    """Add δ v^T to the gradient by the weight in "W", or its transpose where that is "W.T"."""
    name = base(factor)
    found[name] = found[name] + (part.T if factor.endswith(TRANSPOSE) else part)


def add_vector(found: Values, name: str, part: Array) -> None:
    """Add the sum over steps and members to the gradient by a vector; over units, too, for a constant."""
    found[name] = found[name] + (_flat(part).sum(axis=0) if found[name].ndim else part.sum())


def _flat(array: Array) -> Array:
    """(steps · members, n)."""
    return array.reshape(-1, array.shape[-1])


def _neighbours(names: Sequence[str], order: Sequence[str]) -> list[list[str]]:
    """``names`` in runs that have no gap in ``order``."""
    runs: list[list[str]] = []
    for name in names:
        if runs and order.index(name) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return runs


def _added(source: Array, target: Array, fresh: bool) -> Step:
    """target = source, or target += source."""

    def copy(t: int) -> None:
        target[t] = source[t]

    def add(t: int) -> None:
        total = target[t]
        total += source[t]

    return copy if fresh else add


def _multiplied(coefficients: Array, source: Array, target: Array, fresh: bool) -> Step:
    """target = coefficients ∘ source, or added to it."""
    room = np.empty_like(target[0])

    def write(t: int) -> None:
        np.multiply(coefficients[t], source[t], out=target[t])

    def add(t: int) -> None:
        total = target[t]
        total += np.multiply(coefficients[t], source[t], out=room)

    return write if fresh else add


def _applied(source: Array, matrix: Array, target: Array, fresh: bool) -> Step:
    """target = source @ matrix, or added to it."""
    room = np.empty_like(target[0])

    def write(t: int) -> None:
        np.matmul(source[t], matrix, out=target[t])

    def add(t: int) -> None:
        total = target[t]
        total += np.matmul(source[t], matrix, out=room)

    return write if fresh else add
