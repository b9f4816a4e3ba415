"""Householder reflections with rows brought on top, at any range of magnitudes."""

from __future__ import annotations

import numpy as np

from lstm_sym.flow.system import Array

#: A reflection: the row that changed places with the one it works on from, before it, and its unit vector.
Reflector = tuple[int, Array]


def lengths(columns: Array) -> Array:
    """Euclidean lengths, also of columns whose squares underflow."""
    largest = np.max(np.abs(columns), axis=0)
    unit = np.divide(columns, largest, out=np.zeros_like(columns), where=largest > 0)
    return np.asarray(largest * np.sqrt(np.sum(unit**2, axis=0)))


def reflect(R: Array, i: int) -> Array:
    """Zero the entries of column i below row i, in place; returns the reflection's vector, 0 for a zero column."""
    largest = np.max(np.abs(R[i:, i]))
    if largest == 0:
        return np.zeros(len(R) - i)
    v = R[i:, i] / largest
    v[0] += np.copysign(np.linalg.norm(v), v[0])
    v /= np.linalg.norm(v)
    R[i:, i:] -= np.outer(2 * v, v @ R[i:, i:])
    R[i + 1 :, i] = 0.0
    return np.asarray(v)


def orthogonal(reflectors: list[Reflector], rows: int, columns: int) -> Array:
    """The product Q (rows, columns) of reflections, each with its exchange of rows."""
    Q = np.eye(rows, columns)
    for i, (top, v) in reversed(list(enumerate(reflectors))):
        Q[i:] -= np.outer(2 * v, v @ Q[i:])
        Q[[i, top]] = Q[[top, i]]
    return Q
