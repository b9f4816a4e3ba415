"""Second derivatives of a step, applied: two sweeps over the graph, and a third for what the curvatures add.

An elementwise node k turns tangents u̇, v̇ of what it reads into Σ_p k_p·ẅ_p + Σ_pq k_pq·u̇_p·v̇_q, and backwards a
cotangent δ and its change δ̇ along v into k_p·δ̇ + Σ_q k_pq·v̇_q·δ; an affine node just passes both on. No matrix
is formed, and the cost is that of a few steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_sym.calculus.curvature.contractions import accurate
from lstm_sym.calculus.curvature.second import local_second_derivatives
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell, Elementwise, Node
from lstm_sym.functions import Array
from lstm_sym.kernels.backward import LocalSlopes, Slopes, pull_back, push_forward
from lstm_sym.kernels.forward import Values
from lstm_sym.kernels.parameters import Parameters

#: ∂²node/∂p∂q by node and (p, q): arrays (..., n), or a number where it is constant.
Curvatures = Mapping[str, Mapping[tuple[str, str], Array | float]]


class LocalCurvatures:
    """∂²node/∂p∂q for every elementwise node and pair of vectors (p, q) that it reads, in one compiled function.

    The expressions are those of ``ls.hessian``, 1 − 2σ(a) in its form without cancellation.
    """

    def __init__(self, cell: Cell, nodes: Sequence[Node]) -> None:
        self._expressions = {
            (node.name, *pair): accurate(derivative)
            for node in nodes
            if isinstance(node, Elementwise)
            for pair, derivative in local_second_derivatives(node).items()
            if set(pair) <= set(cell.vectors)
        }
        self._coefficients = Coefficients("curvatures", [Term((d,)) for d in self._expressions.values()])
        self.source = self._coefficients.source

    def __call__(self, values: Values, parameters: Parameters) -> Curvatures:
        """The numbers by node and ordered pair; constants stay scalars."""
        numbers = self._coefficients(values, parameters)
        found: dict[str, dict[tuple[str, str], Array | float]] = {}
        for (node, p, q), expression in self._expressions.items():
            found.setdefault(node, {})[p, q] = numbers[expression]
        return found


class SecondOrder:
    """The second derivative of one cell's step, on tangents and cotangents by name."""

    def __init__(self, cell: Cell, nodes: Sequence[Node], slopes: LocalSlopes) -> None:
        self._nodes = nodes
        self._slopes, self._curvatures = slopes, LocalCurvatures(cell, nodes)

    def push(self, parameters: Parameters, values: Values, u: Values, v: Values) -> Values:
        """∂²node[u, v] for every node, from the tangents u and v of the entering states."""
        slopes, curvatures = self._at(parameters, values)
        push_forward(self._nodes, parameters, slopes, u)
        push_forward(self._nodes, parameters, slopes, v)
        second: Values = {}
        for node in self._nodes:
            push_forward((node,), parameters, slopes, second)
            for (p, q), curvature in curvatures.get(node.name, {}).items():
                if p <= q and {p, q} <= u.keys():
                    _add(second, node.name, curvature * _symmetric(u, v, p, q))
        return second

    def pull(self, parameters: Parameters, values: Values, cotangents: Values, v: Values) -> Values:
        """(Σ_a δ_a H_a) v for every vector: the derivative along v of what the cotangents δ pull back to."""
        slopes, curvatures = self._at(parameters, values)
        push_forward(self._nodes, parameters, slopes, v)
        pull_back(self._nodes, parameters, slopes, cotangents)
        changes: Values = {}
        for node in reversed(self._nodes):
            pull_back((node,), parameters, slopes, changes)
            for (p, q), curvature in curvatures.get(node.name, {}).items():
                if q in v and node.name in cotangents:
                    _add(changes, p, curvature * v[q] * cotangents[node.name])
        return changes

    def _at(self, parameters: Parameters, values: Values) -> tuple[Slopes, Curvatures]:
        return self._slopes(values, parameters), self._curvatures(values, parameters)


def _symmetric(u: Values, v: Values, p: str, q: str) -> Array:
    """u_p·v_q + u_q·v_p, or u_p·v_p: to the last bit the same when u and v are exchanged."""
    return u[p] * v[p] if p == q else u[p] * v[q] + u[q] * v[p]


def _add(total: Values, name: str, part: Array) -> None:
    total[name] = total[name] + part if name in total else part
