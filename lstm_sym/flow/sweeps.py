"""The singular values of a graded matrix diag(μ) T, μ of any magnitude: sweeps, then small dense problems.

A QR factorisation of the transpose, in scaled form, turns T into a unit triangular matrix whose couplings
shrink by the ratio of the magnitudes that they join, at every sweep (H. Rutishauser; G. W. Stewart, ETNA 5,
1997).  Where they have vanished the problem falls apart; what is left are groups of magnitudes near one
another, finished by one-sided Jacobi (LAPACK dgejsv; Drmač & Veselić, SIAM J. Matrix Anal. 29, 2008), which
keeps relative accuracy for a well-conditioned matrix times a diagonal.

Where the singular vectors are wanted too, the orthogonal factors of every step are gathered in ``Sides``.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.frames import EPS, coupling, tolerance
from lstm_sym.flow.householder import Reflector, lengths, orthogonal, reflect
from lstm_sym.flow.system import Array
from lstm_sym.flow.wide import Integers

#: Powers of two that one group may span.
RANGE = 850
#: Sweeps made before the groups are looked at, and at most.
FEWEST, MOST = 2, 200


class Sides:
    """X (m, p) and Y (n, p) of M = X diag(μ) T Yᵀ, orthonormal columns; they follow diag(μ) T as it is swept.

    A sweep transposes diag(μ) T, so that they change places; at the end they are the singular vectors of M.
    """

    def __init__(self, left: Array, right: Array) -> None:
        self._near, self._far, self._turned = left, right, False

    @property
    def left(self) -> Array:
        """X."""
        return self._far if self._turned else self._near

    @property
    def right(self) -> Array:
        """Y."""
        return self._near if self._turned else self._far

    def begin(self, Q: Array) -> None:
        """M = X Q diag(μ') T' Yᵀ from here on."""
        self._near = self._near @ Q

    def flip(self, signs: Array) -> None:
        """Take the signs of μ into X."""
        self._near = self._near * np.copysign(1.0, signs)

    def turn(self, order: NDArray[np.intp], Q: Array) -> None:
        """The rows ``order`` of diag(μ) T are (diag(μ') T')ᵀ Qᵀ, and the others zero."""
        self._near, self._far = self._far @ Q, self._near[:, order]
        self._turned = not self._turned

    def finish(self, first: int, last: int, left: Array, right: Array) -> None:
        """The group first … last − 1 of diag(μ) T is left Σ rightᵀ."""
        self._near[:, first:last] = self._near[:, first:last] @ left
        self._far[:, first:last] = self._far[:, first:last] @ right

    def sort(self, order: NDArray[np.intp]) -> None:
        """Put the columns in this order."""
        self._near, self._far = self._near[:, order], self._far[:, order]


def end(
    N: Array, mantissa: Array, exponent: Integers, T: Array, noisy: bool, sides: Sides | None = None
) -> tuple[Array, Integers, Array]:
    """N diag(μ) T = (orthonormal) diag(μ') T', N being the chosen rows (n, r) of an orthonormal Q.

    noisy: whether a row or column of N within rounding of the others is exactly dependent on them.
    """
    noise, reflectors = tolerance(max(N.shape)) if noisy else 0.0, list[Reflector]()
    A, mantissa, exponent, order = pivoted(N, mantissa, exponent, noise, reflectors)
    if sides is not None:
        sides.begin(_orthogonal(reflectors, len(N), A))
    return (*_scaled(A, mantissa, exponent), _unit(A, mantissa, exponent) @ T[order])


def pivoted(
    A: Array, mantissa: Array, exponent: Integers, noise: float, reflectors: list[Reflector] | None = None
) -> tuple[Array, Array, Integers, NDArray[np.intp]]:
    """Householder QR of A diag(μ), the column of greatest remaining magnitude first, at any range of μ.

    What remains of a column is nothing where each entry is within ``noise`` of what its row and column were.
    Returns R (p, r) without μ, and μ and the columns' places in their new order; p is the rank.  The reflections
    that make up Q are put into ``reflectors``.
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
        remaining = lengths(R[i:, i:])
        size = wide.log2(remaining * mantissa[order[i:]], exponent[order[i:]])
        j = i + int(np.argmax(size))
        if size[j - i] == -np.inf:
            break
        order[[i, j]] = order[[j, i]]
        R[:, [i, j]] = R[:, [j, i]]
        top = i + int(np.argmax(np.abs(R[i:, i])))
        R[[i, top]], floor[[i, top]] = R[[top, i]], floor[[top, i]]
        v = reflect(R, i)
        if reflectors is not None:
            reflectors.append((top, v))
        rank = i + 1
    return R[:rank], mantissa[order], exponent[order], order


def _orthogonal(reflectors: list[Reflector], size: int, R: Array) -> Array:
    """Q (size, p) of these reflections, its signs such that the diagonal of R (p, r) is positive."""
    Q = orthogonal(reflectors, size, len(R))
    return np.asarray(np.where(np.diagonal(R) < 0, -Q, Q))


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


def sweep(
    mantissa: Array, exponent: Integers, T: Array, sides: Sides | None = None
) -> tuple[Array, Integers, Array]:
    """diag(μ) T = (diag(μ') T')ᵀ (orthonormal)ᵀ: μ' and T' (p, p), sorted by magnitude first."""
    size = wide.log2(mantissa * np.sqrt(np.sum(T**2, axis=1)), exponent)
    order = np.argsort(-size, kind="stable")
    columns = T[order].T
    if sides is None:
        R: Array = np.asarray(np.linalg.qr(columns, mode="r"))
    else:
        Q, R = np.linalg.qr(columns)
    mantissa, exponent = mantissa[order], exponent[order]
    if (np.diagonal(R) == 0).any():
        return _pivoted_sweep(mantissa, exponent, columns.T, sides, order)
    if sides is not None:
        sides.turn(order, np.where(np.diagonal(R) < 0, -Q, Q))
    return (*_scaled(R, mantissa, exponent), _unit(R, mantissa, exponent))


def _pivoted_sweep(
    mantissa: Array, exponent: Integers, T: Array, sides: Sides | None, before: NDArray[np.intp] | None = None
) -> tuple[Array, Integers, Array]:
    """A sweep with column pivoting; T (p, n) may be rank deficient.  before: the order in which its rows are."""
    reflectors: list[Reflector] = []
    R, mantissa, exponent, order = pivoted(T.T, mantissa, exponent, 0.0, reflectors)
    if sides is not None:
        places = order if before is None else before[order]
        sides.turn(places[: len(R)], _orthogonal(reflectors, T.shape[1], R))
    return (*_scaled(R, mantissa, exponent), _unit(R, mantissa, exponent)[:, : len(R)])


def log_singular_values(
    mantissa: Array, exponent: Integers, T: Array, sides: Sides | None = None
) -> tuple[Array, int]:
    """Log singular values of diag(μ) T, T (p, n) with p ≤ n, descending, and the factorisations made.

    sides: X and Y of the matrix whose middle part this is; they become its singular vectors.
    """
    count = 0
    if len(mantissa) == 0:
        return np.zeros(0), count
    if sides is not None:
        sides.flip(mantissa)
        mantissa = np.abs(mantissa)
    mantissa, exponent, T = _pivoted_sweep(mantissa, exponent, T, sides)
    count += 1
    bounds = groups(T)
    while count < FEWEST or (_too_wide(mantissa, exponent, bounds) and count < MOST):
        mantissa, exponent, T = sweep(mantissa, exponent, T, sides)
        count += 1
        bounds = groups(T)
    values = np.empty(len(mantissa))
    for a, b in bounds:
        values[a:b] = _group(mantissa[a:b], exponent[a:b], T[a:b, a:b], sides, a)
    order = np.argsort(-values, kind="stable")
    if sides is not None:
        sides.sort(order)
    return values[order], count


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


def _group(mantissa: Array, exponent: Integers, T: Array, sides: Sides | None, first: int) -> Array:
    """The log singular values of one group, whose first row is ``first``."""
    if len(mantissa) == 1:
        return wide.logs(mantissa, exponent)
    from scipy.linalg.lapack import dgejsv

    top, vectors = exponent.max(), 3 if sides is None else 0
    columns = np.asfortranarray(T.T * wide.scale(mantissa, exponent - top))
    values, right, left, work, _, info = dgejsv(columns, joba=0, jobu=vectors, jobv=vectors, jobr=1, jobt=1, jobp=1)
    if info != 0 or not np.all(values > 0):
        return wide.logs(mantissa, exponent)
    if sides is not None:
        sides.finish(first, first + len(values), left, right)
    return np.asarray(wide.log(values) + np.log(work[0] / work[1]) + top * wide.LOG_2)
