"""Matrices given as they are, in place of a system: s_t = A_t s_{t−1}."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow.system import Array

#: Single matrices of an iterable that are taken together.
TOGETHER = 64


class Matrices:
    """The system whose Jacobian at a step is its input, (..., S·S) read as (..., S, S)."""

    def __init__(self, size: int) -> None:
        self.size = size

    def step(self, parameters: Any, x: Array, state: Array) -> Array:
        """The zero state: only the Jacobians matter."""
        return np.zeros((*np.shape(x)[:-1], self.size))

    def jacobian(self, parameters: Any, x: Array, state: Array) -> Array:
        """The matrices themselves, (..., S, S)."""
        return np.reshape(x, (*np.shape(x)[:-1], self.size, self.size))

    def unroll(self, parameters: Any, inputs: Array, initial: Array) -> Array:
        """Zeros, without storage."""
        return np.broadcast_to(0.0, (*np.shape(inputs)[:-1], self.size))


def flattened(matrices: Any, what: str = "the matrices") -> Array:
    """(T, ..., S, S) as inputs (T, ..., S·S) of ``Matrices``, or ValueError."""
    array = checks.finite(what, matrices)
    if array.dtype.kind == "c":
        raise ValueError(f"{what} are complex: spectra are those of real products.")
    if array.ndim < 3 or array.shape[-1] != array.shape[-2] or 0 in (len(array), array.shape[-1]):
        raise ValueError(f"{what} have shape {array.shape}: expected (T, ..., S, S), with T and S at least 1.")
    return array.reshape(*array.shape[:-2], -1)


def in_chunks(matrices: Iterable[Any]) -> Iterator[Array]:
    """Inputs of ``Matrices`` from an iterable of matrices (S, S), or of arrays (t, ..., S, S)."""
    for single, group in itertools.groupby(matrices, key=lambda matrix: np.ndim(matrix) < 3):
        if not single:
            yield from (flattened(chunk) for chunk in group)
            continue
        while together := [np.array(matrix) for matrix in itertools.islice(group, TOGETHER)]:
            yield flattened(together)
