"""LU of a frame with row pivoting: vectors of the same spans, entries of at most 1, and what was divided out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym.flow.system import Array

#: A frame whose largest entry is outside this range is not factored: its scale must be taken out first.
RANGE = {np.dtype(np.float64): (1e-200, 1e200), np.dtype(np.float32): (1e-25, 1e25)}


@dataclass(frozen=True)
class Triangle:
    """U of F = (P L) U: ``diagonal`` u_jj (..., k), ``spread`` max|F| / |u_jj| (..., k), ``upper`` Uᵀ or None.

    Of ``upper`` (..., k, k) only the lower triangle, Uᵀ itself, means anything.
    """

    diagonal: Array
    spread: Array
    upper: Array | None


class Triangles:
    """The factorisation for frames of one shape (..., k, S) and dtype."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, keep_upper: bool) -> None:
        from scipy.linalg import blas, lapack

        self._batch, (k, size) = shape[:-2], shape[-2:]
        self._mask = np.triu(np.ones((k, size), dtype), 1)
        self._diagonal = slice(0, k * (size + 1), size + 1)
        self._upper = np.empty((*self._batch, k, k), dtype) if keep_upper else None
        self._least, self._most = RANGE[np.dtype(dtype)]
        letter = "s" if np.dtype(dtype) == np.float32 else "d"
        self._getrf: Callable[..., Any] = getattr(lapack, f"{letter}getrf")
        self._laswp: Callable[..., Any] = getattr(lapack, f"{letter}laswp")
        self._iamax: Callable[..., Any] = getattr(blas, f"i{letter}amax")

    def factor(self, rows: Array) -> Triangle | None:
        """LU of the frame whose vectors are the ``rows``; they are overwritten by those of P L.

        None if some frame is rank deficient, not finite or out of range; the rows then hold nothing of use.
        """
        shape = rows.shape[:-1]
        diagonal, top = np.empty(shape), np.empty((*shape[:-1], 1))
        members = np.ndindex(*self._batch) if self._batch else ((),)
        for place in members:
            found = self._one(rows[place], diagonal[place], None if self._upper is None else self._upper[place])
            if found is None:
                return None
            top[place] = found
        return Triangle(diagonal, top / np.abs(diagonal), self._upper)

    def _one(self, rows: Array, diagonal: Array, upper: Array | None) -> float | None:
        """One frame; its largest entry before, or None."""
        flat = rows.reshape(-1)
        top = abs(float(flat[self._iamax(flat)]))
        if not self._least < top < self._most:
            return None
        _, pivots, failed = self._getrf(rows.T, overwrite_a=1)
        if failed:
            return None
        entries = flat[self._diagonal]
        diagonal[...] = entries
        if upper is not None:
            upper[...] = rows[:, : len(rows)]
        np.multiply(rows, self._mask, out=rows)
        entries[...] = 1.0
        self._laswp(rows.T, pivots, inc=-1, overwrite_a=1)
        return top
