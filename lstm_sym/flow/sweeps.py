"""The singular values of a graded matrix diag(μ) T, μ of any magnitude: sweeps, then small dense problems.

A QR factorisation of the transpose, in scaled form, turns T into a unit triangular matrix whose couplings
shrink by the ratio of the magnitudes that they join, at every sweep (H. Rutishauser; G. W. Stewart, ETNA 5,
1997).  Where they have vanished the problem falls apart; what is left are groups of magnitudes near one
another, finished by one-sided Jacobi (LAPACK dgejsv; Drmač & Veselić, SIAM J. Matrix Anal. 29, 2008), which
keeps relative accuracy for a well-conditioned matrix times a diagonal.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.frames import EPS, coupling, tolerance
from lstm_sym.flow.system import Array
from lstm_sym.flow.wide import Integers

#: Powers of two that one group may span.
RANGE = 850
#: Sweeps made before the groups are looked at, and at most.
FEWEST, MOST = 2, 200


def end(N: Array, mantissa: Array, exponent: Integers, T: Array, noisy: bool) -> tuple[Array, Integers, Array]:
    """N diag(μ) T = (orthonormal) diag(μ') T', N being the chosen rows (n, r) of an orthonormal Q.

    noisy: whether a row or column of N within rounding of the others is exactly dependent on them.
    """
    A, mantissa, exponent, order = pivoted(N, mantissa, exponent, tolerance(max(N.shape)) if noisy else 0.0)
    return (*_scaled(A, mantissa, exponent), _unit(A, mantissa, exponent) @ T[order])


def pivoted(
    A: Array, mantissa: Array, exponent: Integers, noise: float
) -> tuple[Array, Array, Integers, NDArray[np.intp]]:
    """Householder QR of A diag(μ), the column of greatest remaining magnitude first, at any range of μ.

    What remains of a column is nothing where each entry is within ``noise`` of what its row and column were.
    Returns R (p, r) without μ, and μ and the columns' places in their new order; p is the rank.
    """
    R = A.copy()
    order = np.arange(R.shape[1])
    rows = np.max(np.abs(R), axis=1, initial=0.0)
    level = np.divide(np.abs(R), rows[:, None], out=np.zeros_like(R), where=rows[:, None] > 0)
    floor = noise * rows[:, None] * np.max(level, axis=0, initial=0.0)
    rank = 0
    for i in range(min(R.shape)):
        gone = np.all(np.abs(R[i:, i:]) <= floor[i:, order[i:]], axis=0)
        R[i:, i:][:, gone] = 0.0
        remaining = np.sqrt(np.sum(R[i:, i:] ** 2, axis=0))
        size = wide.log2(remaining * mantissa[order[i:]], exponent[order[i:]])
        j = i + int(np.argmax(size))
        if size[j - i] == -np.inf:
            break
        order[[i, j]] = order[[j, i]]
        R[:, [i, j]] = R[:, [j, i]]
        top = i + int(np.argmax(np.abs(R[i:, i])))
        R[[i, top]], floor[[i, top]] = R[[top, i]], floor[[top, i]]
        _reflect(R, i)
        rank = i + 1
    return R[:rank], mantissa[order], exponent[order], order


def _reflect(R: Array, i: int) -> None:
    """Zero the entries of column i below row i, in place."""
    v = R[i:, i].copy()
    length = np.linalg.norm(v)
    v[0] += np.copysign(length, v[0])
    v /= np.linalg.norm(v)
    R[i:, i:] -= np.outer(2 * v, v @ R[i:, i:])
    R[i + 1 :, i] = 0.0


def _scaled(R: Array, mantissa: Array, exponent: Integers) -> tuple[Array, Integers]:
    """μ_i |r_ii|."""
    rank = len(R)
    new, carry = wide.split(mantissa[:rank] * np.abs(np.diagonal(R)))
    return new, exponent[:rank] + carry


def _unit(R: Array, mantissa: Array, exponent: Integers) -> Array:
    """diag(μ r)⁻¹ R diag(μ): (p, r), unit upper triangular in its first p columns."""
    rank, width = R.shape
    if rank == width:
        return coupling(R, np.diagonal(R), mantissa, exponent, np.arange(width))
    relative = np.clip(exponent[None, :] - exponent[:rank, None], -4096, 1000)
    ratio = wide.scale(np.triu(R) * mantissa, relative)
    out: Array = ratio / (np.diagonal(R) * mantissa[:rank])[:, None]
    return out


def sweep(mantissa: Array, exponent: Integers, T: Array) -> tuple[Array, Integers, Array]:
    """diag(μ) T = (diag(μ') T')ᵀ (orthonormal)ᵀ: μ' and T' (p, p), sorted by magnitude first."""
    size = wide.log2(mantissa * np.sqrt(np.sum(T**2, axis=1)), exponent)
    order = np.argsort(-size, kind="stable")
    R: Array = np.asarray(np.linalg.qr(T[order].T, mode="r"))
    mantissa, exponent = mantissa[order], exponent[order]
    if (np.diagonal(R) == 0).any():
        R, mantissa, exponent, _ = pivoted(T[order].T, mantissa, exponent, 0.0)
        return (*_scaled(R, mantissa, exponent), _unit(R, mantissa, exponent)[:, : len(R)])
    return (*_scaled(R, mantissa, exponent), _unit(R, mantissa, exponent))


def log_singular_values(mantissa: Array, exponent: Integers, T: Array) -> tuple[Array, int]:
    """Log singular values of diag(μ) T, T (p, n) with p ≤ n, descending, and the factorisations made."""
    count = 0
    if len(mantissa) == 0:
        return np.zeros(0), count
    R, ordered, powers, _ = pivoted(T.T, mantissa, exponent, 0.0)
    count += 1
    mantissa, exponent, T = (*_scaled(R, ordered, powers), _unit(R, ordered, powers)[:, : len(R)])
    bounds = groups(T)
    while count < FEWEST or (_too_wide(mantissa, exponent, bounds) and count < MOST):
        mantissa, exponent, T = sweep(mantissa, exponent, T)
        count += 1
        bounds = groups(T)
    values = [_group(mantissa[a:b], exponent[a:b], T[a:b, a:b]) for a, b in bounds]
    return -np.sort(-np.concatenate(values)), count


def groups(T: Array) -> list[tuple[int, int]]:
    """The index ranges between which no coupling of the unit triangular T exceeds rounding."""
    size = len(T)
    couplings = np.abs(np.triu(T, 1))
    beyond = np.maximum.accumulate(couplings[:, ::-1], axis=1)[:, ::-1]
    across = np.diagonal(np.maximum.accumulate(beyond, axis=0), offset=1)
    cuts = np.flatnonzero(across <= EPS / size) + 1
    edges = [0, *map(int, cuts), size]
    return list(itertools.pairwise(edges))


def _too_wide(mantissa: Array, exponent: Integers, bounds: list[tuple[int, int]]) -> bool:
    size = wide.log2(mantissa, exponent)
    return any(np.ptp(size[a:b]) > RANGE for a, b in bounds)


def _group(mantissa: Array, exponent: Integers, T: Array) -> Array:
    """The log singular values of one group."""
    if len(mantissa) == 1:
        return wide.logs(mantissa, exponent)
    from scipy.linalg.lapack import dgejsv

    top = exponent.max()
    columns = np.asfortranarray(T.T * wide.scale(mantissa, exponent - top))
    values, _, _, work, _, info = dgejsv(columns, joba=0, jobu=3, jobv=3, jobr=1, jobt=1, jobp=1)
    if info != 0 or not np.all(values > 0):
        return wide.logs(mantissa, exponent)
    return np.asarray(wide.log(values) + np.log(work[0] / work[1]) + top * wide.LOG_2)
