"""The graded factorisation P = Q · diag(μ) · T of a long product, advanced one factor at a time.

Q has orthonormal columns, μ = mantissa × 2^exponent holds the magnitudes, T is well conditioned.  Per step,
M = J Q is sorted by the magnitude of its columns, factored M = Q' R, and then μ' = μ |r_ii| and
T' = (R_ij μ_j / (r_ii μ_i)) T: nothing of one magnitude is ever added to anything of another (the UDT
factorisation of determinant quantum Monte Carlo, pre-pivoted; G. W. Stewart, ETNA 5, 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.householder import Reflector, lengths, orthogonal, reflect
from lstm_sym.flow.system import Array
from lstm_sym.flow.wide import Integers

EPS = float(np.finfo(np.float64).eps)

#: Powers of two by which rows or columns may differ before their sizes are taken care of.
GRADED = 10


@dataclass(frozen=True)
class Frame:
    """Q (..., S, r), mantissa and exponent (..., r), T (..., r, r) or None where only |μ| is wanted."""

    Q: Array
    mantissa: Array
    exponent: Integers
    T: Array | None


def start(Q: Array, coupled: bool = True) -> Frame:
    """The frame of a product of no factors, Q (..., S, r) itself."""
    shape = (*Q.shape[:-2], Q.shape[-1])
    T = np.broadcast_to(np.eye(shape[-1]), (*shape, shape[-1])) if coupled else None
    return Frame(Q, np.ones(shape), np.zeros(shape, dtype=np.int64), T)


def orthonormal(frame: Frame) -> Frame:
    """The same product with the columns of Q, which need not be so, made orthonormal; small rows stay accurate."""
    if not frame.Q.shape[-1]:
        return frame
    kept, sort = frame.mantissa != 0, frame.T is not None
    Q, R, order = _factored(frame.Q, frame.mantissa, frame.exponent, kept, sort)
    kept, mantissa, exponent = _entries(order, kept, frame.mantissa, frame.exponent)
    T = None if frame.T is None else np.take_along_axis(frame.T, order[..., None], axis=-2)
    return _absorbed(Q, R, kept, Frame(Q, mantissa, exponent, T), order)


def _absorbed(Q: Array, R: Array, kept: NDArray[np.bool_], frame: Frame, places: NDArray[np.intp]) -> Frame:
    """Q R · diag(μ) · T as Q' · diag(μ') · T', the signs of R in Q'; μ and T of ``frame`` in the order of R.

    kept: the columns that are not lost; places: where they stood before, see ``coupling``.
    """
    diagonal = np.where(kept, np.diagonal(R, axis1=-2, axis2=-1), 0.0)
    T = frame.T
    if T is not None:
        T = coupling(R, diagonal, frame.mantissa, frame.exponent, places) @ T
    mantissa, carry = wide.split(frame.mantissa * np.abs(diagonal))
    signs = np.where(diagonal < 0, -1.0, 1.0)
    return Frame(Q * signs[..., None, :], mantissa, frame.exponent + carry, T)


def advance(
    frame: Frame, factor: Array, extra: Integers, suspect: NDArray[np.bool_], sort: bool = True
) -> tuple[Frame, int, NDArray[np.bool_]]:
    """The frame of (factor · 2^extra) P; the QR factorisations made; where a direction was lost to rank.

    suspect (...): where the factor may be singular, so that a column within rounding of the span of others
    is taken for what it is there, exactly dependent.  sort=False keeps the order of the columns.

    A factor whose columns differ much in size is taken in two: the sizes, then the matrix that they leave,
    so that a saturated unit's small column is not lost in a sum with the others.
    """
    _, sizes = wide.split(np.max(np.abs(factor), axis=-2))
    live = (factor != 0).any(axis=-2)
    spread = np.where(live, sizes, np.max(sizes, axis=-1, keepdims=True))
    if np.all(np.ptp(spread, axis=-1) <= GRADED):
        return _advance(frame, factor, extra, suspect, sort)
    ones = np.broadcast_to(np.eye(factor.shape[-1]), factor.shape)
    sizes = np.where(live, sizes, 0)
    outer, inner = wide.scale(factor, -sizes[..., None, :]), wide.scale(ones, sizes[..., None, :])
    frame, first, _ = _advance(frame, inner, extra, np.zeros_like(suspect), sort)
    frame, second, lost = _advance(frame, outer, np.zeros_like(extra), suspect, sort)
    return frame, first + second, lost


def _advance(
    frame: Frame, factor: Array, extra: Integers, suspect: NDArray[np.bool_], sort: bool
) -> tuple[Frame, int, NDArray[np.bool_]]:
    """One factorisation of factor · Q."""
    image = factor @ frame.Q
    zero = factor == 0
    suspect = suspect | zero.all(axis=-1).any(axis=-1) | zero.all(axis=-2).any(axis=-1)  # some may have underflowed
    columns, gained = wide.normalised(image, axis=-2)
    live = (frame.mantissa != 0) & (columns != 0).any(axis=-2)
    mantissa = np.where(live, frame.mantissa, 0.0)
    exponent = frame.exponent + gained + np.asarray(extra)[..., None]
    magnitude = wide.log2(np.sqrt(np.sum(columns**2, axis=-2)) * mantissa, exponent)
    order = np.argsort(-magnitude if sort else ~live, axis=-1, kind="stable")
    (kept,) = _entries(order, mantissa != 0)
    moves = np.broadcast_to(np.arange(order.shape[-1]), order.shape)
    count = 1
    if suspect.any():
        trial, noise = _levelled(image, np.abs(factor) @ np.abs(frame.Q), suspect)
        kept, moves, tries = _set_aside(_columns(trial, order), kept, *_entries(order, noise))
        order, count = np.take_along_axis(order, moves, axis=-1), 1 + tries
    mantissa, exponent = _entries(order, mantissa, exponent)
    Q, R, turns = _factored(_columns(columns, order), mantissa, exponent, kept, sort)
    order, moves, kept, mantissa, exponent = _entries(turns, order, moves, kept, mantissa, exponent)
    T = None if frame.T is None else np.take_along_axis(frame.T, order[..., None], axis=-2)
    new = _absorbed(Q, R, kept, Frame(Q, mantissa, exponent, T), moves)
    lost = np.count_nonzero(new.mantissa, axis=-1) < np.count_nonzero(frame.mantissa, axis=-1)
    return new, count, np.asarray(lost)


def advanced(
    frame: Frame, factors: Sequence[tuple[Array, Integers]], suspect: NDArray[np.bool_], sort: bool = True
) -> tuple[Frame, int, NDArray[np.bool_]]:
    """``advance`` by several factors in turn."""
    count, lost = 0, np.zeros(frame.Q.shape[:-2], dtype=bool)
    for factor, extra in factors:
        frame, more, gone = advance(frame, factor, extra, suspect, sort)
        count, lost = count + more, lost | gone
    return frame, count, lost


def tolerance(size: int) -> float:
    """The part of a column, relative to the terms it was summed from, that rounding can make up."""
    return (4 * size + 16) * EPS


def _columns(matrix: Array, order: NDArray[np.intp]) -> Array:
    return np.asarray(np.take_along_axis(matrix, order[..., None, :], axis=-1))


def _entries(order: NDArray[np.intp], *vectors: Any) -> tuple[Any, ...]:
    return tuple(np.take_along_axis(vector, order, axis=-1) for vector in vectors)


def _levelled(image: Array, reach: Array, suspect: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The image with its rows on one scale, which leaves the rank as it is, and the rounding in its columns.

    reach: the sums of the sizes of the terms that each entry of the image was summed from.
    """
    _, gained = wide.split(np.max(reach, axis=-2))
    level = wide.scale(reach, -gained[..., None, :])
    _, rows = wide.split(np.max(level, axis=-1))
    level = wide.scale(level, -rows[..., :, None])
    trial = wide.scale(wide.scale(image, -gained[..., None, :]), -rows[..., :, None])
    noise = tolerance(image.shape[-2]) * np.sqrt(np.sum(level**2, axis=-2))
    return trial, np.where(suspect[..., None], noise, 0.0)


def _set_aside(
    columns: Array, kept: NDArray[np.bool_], noise: Array
) -> tuple[NDArray[np.bool_], NDArray[np.intp], int]:
    """Which columns are kept when those within ``noise`` of the span of earlier ones are moved to the end.

    The first dependent column is moved and the rest factored again, so that the arbitrary direction which QR
    puts in its place takes no part in what follows.  Returns which are kept, their places, and the count.
    """
    moves = np.broadcast_to(np.arange(columns.shape[-1]), kept.shape)
    count = 0
    while True:
        R = np.asarray(np.linalg.qr(columns, mode="r"))
        count += 1
        dependent = kept & (np.abs(np.diagonal(R, axis1=-2, axis2=-1)) <= noise)
        if not dependent.any():
            return kept, moves, count
        kept = kept & ~(dependent & (np.cumsum(dependent, axis=-1) == 1))
        to_end = np.argsort(~kept, axis=-1, kind="stable")
        columns = _columns(columns, to_end)
        kept, noise, moves = _entries(to_end, kept, noise, moves)


def _factored(
    columns: Array, mantissa: Array, exponent: Integers, kept: NDArray[np.bool_], sort: bool
) -> tuple[Array, Array, NDArray[np.intp]]:
    """QR and the order of its columns; where rows differ much in size, so that the small ones keep their digits.

    Then it is pivoted in columns and rows (A. J. Cox & N. J. Higham, BIT 38, 1998), or, where the order of the
    columns must stay, the large rows go first.
    """
    same = np.broadcast_to(np.arange(columns.shape[-1]), kept.shape)
    size = np.max(np.abs(columns), axis=-1)
    _, level = wide.split(size)
    if np.all(np.ptp(np.where(size > 0, level, -2 * GRADED), axis=-1) <= GRADED):
        Q, R = np.linalg.qr(columns)
        return Q, R, same
    if not sort:
        rows = np.argsort(-size, axis=-1, kind="stable")
        Q, R = np.linalg.qr(np.take_along_axis(columns, rows[..., None], axis=-2))
        return np.take_along_axis(Q, np.argsort(rows, axis=-1)[..., None], axis=-2), R, same
    Q, R, turns = np.empty(columns.shape), np.empty((*kept.shape, kept.shape[-1])), np.array(same)
    weights = np.where(kept, mantissa, 0.0)
    for place in np.ndindex(*kept.shape[:-1]):
        Q[place], R[place], turns[place] = _pivoted(columns[place], weights[place], exponent[place])
    return Q, R, turns


def _pivoted(A: Array, mantissa: Array, exponent: Integers) -> tuple[Array, Array, NDArray[np.intp]]:
    """Householder QR of (S, r): the column of greatest remaining μ-weighted size next, its largest entry on top."""
    R, order = A.copy(), np.arange(A.shape[1])
    reflectors: list[Reflector] = []
    for i in range(A.shape[1]):
        j = i + int(np.argmax(wide.log2(lengths(R[i:, i:]) * mantissa[order[i:]], exponent[order[i:]])))
        order[[i, j]], R[:, [i, j]] = order[[j, i]], R[:, [j, i]]
        top = i + int(np.argmax(np.abs(R[i:, i])))
        R[[i, top]] = R[[top, i]]
        reflectors.append((top, reflect(R, i)))
    return orthogonal(reflectors, *A.shape), R[: A.shape[1]], order


def coupling(R: Array, diagonal: Array, mantissa: Array, exponent: Integers, places: NDArray[np.intp]) -> Array:
    """R_ij μ_j / (r_ii μ_i), unit upper triangular (rows that are lost: those of the identity).

    Where a dependent column was moved behind ones that it does not contain, its entries there are rounding
    and are left out: ``places`` says where each column stood before.
    """
    size = R.shape[-1]
    kept = diagonal != 0
    mean = np.triu(np.ones((size, size), dtype=bool), 1) & kept[..., :, None]
    if not kept.all():
        mean = mean & (kept[..., None, :] | (places[..., :, None] < places[..., None, :]))
    relative = np.clip(exponent[..., None, :] - exponent[..., :, None], -4096, 1000)
    ratio = wide.scale(np.where(mean, R * mantissa[..., None, :], 0.0), relative)
    out: Array = ratio / np.where(kept, diagonal * mantissa, 1.0)[..., :, None]
    every = np.arange(size)
    out[..., every, every] = 1.0
    return out
