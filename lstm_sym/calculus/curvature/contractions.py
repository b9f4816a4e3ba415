"""Second derivatives in numbers and written out: as a tensor, applied to two vectors, contracted with one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.values import Jacobian
from lstm_sym.checks import finite
from lstm_sym.functions import Array, sigmoid, tanh

if TYPE_CHECKING:
    from lstm_sym.calculus.curvature.hessians import Hessian

#: Bytes of a tensor above which it is not formed.
LARGEST_TENSOR = 2**32


def accurate(expression: sp.Expr) -> sp.Expr:
    """1 − 2σ(a), the factor of σ″ = σ′·(1 − 2σ), as −tanh(a/2): nothing is lost where σ(a) is near a half."""
    activations = expression.atoms(sigmoid)
    return expression.xreplace({1 - 2 * gate: -tanh(gate.args[0] / 2) for gate in activations})


class _Factors:
    """The matrices of a Hessian's terms in numbers, each (..., rows, columns)."""

    def __init__(self, hessian: Hessian, given: Mapping[str, Any]) -> None:
        self._hessian, self._given = hessian, given
        exact = tuple(term.map(accurate) for term in hessian.terms)
        self._terms = exact if _reads(exact) <= given.keys() else hessian.terms
        needed = _reads(hessian.readable)
        if self._terms is not exact and (missing := sorted(needed - given.keys())):
            raise ValueError(f"no value for {', '.join(missing)}: {hessian.equation()} needs them.")
        self._matrix = cache(self._evaluated)
        self.shape: tuple[int, ...] = (
            *self._matrix(hessian.of, hessian.wrt).shape,
            self._matrix(hessian.of, hessian.wrt2).shape[1],
        )

    def _evaluated(self, of: str, wrt: str, *terms: Term) -> Array:
        return Jacobian(self._hessian.cell, of, wrt, "partial", terms).evaluate(self._given)

    def __iter__(self) -> Iterator[tuple[Array, Array, Array]]:
        """outer (..., a, k), left (..., k, b) and right (..., k, c) of every product in the sum."""
        hessian = self._hessian
        for term in self._terms:
            outer = self._matrix(hessian.of, term.at, term.outer)
            for left, right in term.pairs:
                yield outer, self._matrix(term.at, hessian.wrt, left), self._matrix(term.at, hessian.wrt2, right)


def _reads(terms: tuple[Any, ...]) -> set[str]:
    """The names of the vectors and weights in bilinear terms."""
    parts = [part for term in terms for part in (term.outer, term.left, term.right)]
    vectors = {symbol.name for part in parts for d in part.diagonals for symbol in d.free_symbols}
    return vectors | {weight.name for part in parts for weight in part.weights}


def tensor(hessian: Hessian, given: Mapping[str, Any]) -> Array:
    """``Hessian.evaluate``."""
    factors = _Factors(hessian, given)
    total = np.zeros(factors.shape, np.float32)
    for outer, left, right in factors:
        batch = np.broadcast_shapes(*(part.shape[:-2] for part in (outer, left, right)))
        needed = 8 * math.prod((*batch, *factors.shape))
        if needed > LARGEST_TENSOR:
            raise ValueError(
                f"the tensor {(*batch, *factors.shape)} would take {needed / 2**30:,.0f} GiB:"
                " apply it to vectors, contract it with one, or use kernel.hvp and kernel.hessian_vector."
            )
        products = left[..., :, :, None] * right[..., :, None, :]
        flat = products.reshape(*products.shape[:-2], -1)
        total = total + (outer @ flat).reshape(*batch, *factors.shape)
    return total


def applied(hessian: Hessian, u: Any, v: Any, given: Mapping[str, Any]) -> Array:
    """``Hessian.apply``."""
    factors = _Factors(hessian, given)
    u = _vector("u", u, factors.shape[1])
    v = _vector("v", v, factors.shape[2])
    total = np.zeros(factors.shape[0], np.float32)
    for outer, left, right in factors:
        total = total + _times(outer, _times(left, u) * _times(right, v))
    batch = np.broadcast_shapes(total.shape[:-1], u.shape[:-1], v.shape[:-1])
    return np.broadcast_to(total, (*batch, factors.shape[0]))


def contracted(hessian: Hessian, delta: Any, given: Mapping[str, Any]) -> Array:
    """``Hessian.contract``."""
    factors = _Factors(hessian, given)
    delta = _vector("delta", delta, factors.shape[0])
    total = np.zeros((*delta.shape[:-1], *factors.shape[1:]), np.float32)
    for outer, left, right in factors:
        weights = _times(outer.swapaxes(-1, -2), delta)
        total = total + left.swapaxes(-1, -2) @ (weights[..., :, None] * right)
    return total


def _times(matrix: Array, vector: Array) -> Array:
    return np.asarray((matrix @ vector[..., None])[..., 0])


def _vector(what: str, value: Any, size: int) -> Array:
    array = finite(what, value)
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"{what} has shape {array.shape}: expected a last axis of {size}.")
    return array


def to_sympy(hessian: Hessian, n: int, sizes: Mapping[str, int]) -> sp.Array:
    """``Hessian.to_sympy``."""
    cell, of, wrt, wrt2 = hessian.cell, hessian.of, hessian.wrt, hessian.wrt2

    def matrix(rows: str, columns: str, *terms: Term) -> sp.Matrix:
        return Jacobian(cell, rows, columns, "partial", terms).to_sympy(n, **sizes)

    parts = [
        (matrix(of, term.at, term.outer), matrix(term.at, wrt, left), matrix(term.at, wrt2, right))
        for term in hessian
        for left, right in term.pairs
    ]
    return sum_of_products(parts, (*matrix(of, wrt).shape, matrix(of, wrt2).shape[1]))


def sum_of_products(parts: Sequence[tuple[sp.Matrix, ...]], shape: tuple[int, ...]) -> sp.Array:
    """Σ outer[a, k]·left[k, b]·right[k, c] over k and all ``parts`` (outer, left, right)."""
    entries = [
        sp.Add(*(o[a, k] * p[k, b] * q[k, c] for o, p, q in parts for k in range(o.shape[1])))
        for a, b, c in np.ndindex(*shape)
    ]
    return sp.ImmutableDenseNDimArray(entries, shape)
