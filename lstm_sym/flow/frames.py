"""The graded factorisation P = Q · diag(μ) · T of a long product, advanced one factor at a time.

Q has orthonormal columns, μ = mantissa × 2^exponent holds the magnitudes, T is well conditioned.  Per step,
M = J Q is sorted by the magnitude of its columns, factored M = Q' R, and then μ' = μ |r_ii| and
T' = (R_ij μ_j / (r_ii μ_i)) T: nothing of one magnitude is ever added to anything of another (the UDT
factorisation of determinant quantum Monte Carlo, pre-pivoted; G. W. Stewart, ETNA 5, 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.system import Array
from lstm_sym.flow.wide import Integers

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Frame:
    """Q (..., S, r), mantissa and exponent (..., r), T (..., r, r) or None where only μ is wanted."""

    Q: Array
    mantissa: Array
    exponent: Integers
    T: Array | None


def start(Q: Array, coupled: bool = True) -> Frame:
    """The frame of a product of no factors, Q (..., S, r) itself."""
    shape = (*Q.shape[:-2], Q.shape[-1])
    T = np.broadcast_to(np.eye(shape[-1]), (*shape, shape[-1])) if coupled else None
    return Frame(Q, np.ones(shape), np.zeros(shape, dtype=np.int64), T)


def advance(
    frame: Frame, factor: Array, extra: Integers, suspect: NDArray[np.bool_], sort: bool = True
) -> tuple[Frame, int, NDArray[np.bool_]]:
    """The frame of (factor · 2^extra) P; the QR factorisations made; where a direction was lost to rank.

    suspect (...): where the factor may be singular, so that a column within rounding of the span of others
    is taken for what it is there, exactly dependent.  sort=False keeps the order of the columns.
    """
    columns, gained = wide.normalised(factor @ frame.Q, axis=-2)
    live = (frame.mantissa != 0) & (columns != 0).any(axis=-2)
    mantissa = np.where(live, frame.mantissa, 0.0)
    exponent = frame.exponent + gained + np.asarray(extra)[..., None]
    noise = np.zeros(live.shape)
    if suspect.any():
        reach = np.sqrt(np.sum((np.abs(factor) @ np.abs(frame.Q)) ** 2, axis=-2))
        noise = np.where(suspect[..., None], tolerance(factor.shape[-1]) * wide.scale(reach, -gained), 0.0)
    magnitude = wide.log2(np.sqrt(np.sum(columns**2, axis=-2)) * mantissa, exponent)
    order = np.argsort(-magnitude if sort else ~live, axis=-1, kind="stable")
    Q, R, kept, moves, count = _factored(_columns(columns, order), *_entries(order, mantissa != 0, noise))
    order = np.take_along_axis(order, moves, axis=-1)
    mantissa, exponent = _entries(order, mantissa, exponent)
    diagonal = np.where(kept, np.diagonal(R, axis1=-2, axis2=-1), 0.0)
    T = frame.T
    if T is not None:
        T = coupling(R, diagonal, mantissa, exponent, moves) @ np.take_along_axis(T, order[..., None], axis=-2)
    magnitudes, carry = wide.split(mantissa * np.abs(diagonal))
    lost = kept.sum(axis=-1) < np.count_nonzero(frame.mantissa, axis=-1)
    return Frame(Q * np.where(diagonal < 0, -1.0, 1.0)[..., None, :], magnitudes, exponent + carry, T), count, lost


def tolerance(size: int) -> float:
    """The part of a column, relative to the terms it was summed from, that rounding can make up."""
    return (4 * size + 16) * EPS


def _columns(matrix: Array, order: NDArray[np.intp]) -> Array:
    return np.asarray(np.take_along_axis(matrix, order[..., None, :], axis=-1))


def _entries(order: NDArray[np.intp], *vectors: Any) -> tuple[Any, ...]:
    return tuple(np.take_along_axis(vector, order, axis=-1) for vector in vectors)


def _factored(
    columns: Array, kept: NDArray[np.bool_], noise: Array
) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.intp], int]:
    """QR of the columns, those within ``noise`` of the span of earlier ones moved to the end.

    The first dependent column is moved and the rest factored again, so that the arbitrary direction which QR
    puts in its place takes no part in what follows.  Returns Q, R, which are kept, their places, and the count.
    """
    moves = np.broadcast_to(np.arange(columns.shape[-1]), kept.shape)
    count = 0
    while True:
        Q, R = np.linalg.qr(columns)
        count += 1
        dependent = kept & (np.abs(np.diagonal(R, axis1=-2, axis2=-1)) <= noise)
        if not dependent.any():
            return Q, R, kept, moves, count
        kept = kept & ~(dependent & (np.cumsum(dependent, axis=-1) == 1))
        to_end = np.argsort(~kept, axis=-1, kind="stable")
        columns = _columns(columns, to_end)
        kept, noise, moves = _entries(to_end, kept, noise, moves)


def coupling(
    R: Array, diagonal: Array, mantissa: Array, exponent: Integers, places: NDArray[np.intp]
) -> Array:
    """R_ij μ_j / (r_ii μ_i), unit upper triangular (rows that are lost: those of the identity).

    Where a dependent column was moved behind ones that it does not contain, its entries there are rounding
    and are left out: ``places`` says where each column stood before.
    """
    size = R.shape[-1]
    kept = diagonal != 0
    mean = np.triu(np.ones((size, size), dtype=bool), 1) & kept[..., :, None]
    if not kept.all():
        mean = mean & (places[..., :, None] < places[..., None, :])
    relative = np.clip(exponent[..., None, :] - exponent[..., :, None], -4096, 1000)
    ratio = wide.scale(np.where(mean, R * mantissa[..., None, :], 0.0), relative)
    out: Array = ratio / np.where(kept, diagonal * mantissa, 1.0)[..., :, None]
    every = np.arange(size)
    out[..., every, every] = 1.0
    return out
