"""Products of independent Gaussian matrices: every Lyapunov exponent, and its error, exactly at any size.

Entries N(0, gain²/N), one new matrix at every step. The frame after a step is independent of the next matrix,
whose QR factorisation has independent χ-distributed diagonal entries, so that the QR logs of T steps are sums of T
independent terms ½ log χ²_(N−k+1)/N (C. M. Newman, Commun. Math. Phys. 103, 1986): no limit is taken in N or T.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln, polygamma

from lstm_sym import checks

Array = NDArray[np.float64]

#: Gauss–Legendre quadrature from 0 to 1: ψ is smooth where it is used, this many nodes give it to rounding.
_NODES, _WEIGHTS = (0.5 * (part + shift) for part, shift in zip(leggauss(20), (1.0, 0.0), strict=True))


def exponents(size: int, gain: float = 1.0) -> Array:
    """λ_k = log gain + ½[log(2/N) + ψ((N − k + 1)/2)], k = 1 … N, in nats per step.

    >>> exponents(4).round(6)
    array([-0.135181, -0.328329, -0.635181, -1.328329])

    Raises ValueError for a size below 1 or a gain that is not positive.
    """
    size = _positive("size", size)
    return np.asarray(_log(gain) + 0.5 * (np.log(2 / size) + digamma(_freedoms(size) / 2)))


def deviations(size: int, steps: int) -> Array:
    """Their standard deviations over T steps, sqrt(ψ₁((N − k + 1)/2)/(4T)), k = 1 … N; independent of the gain.

    >>> deviations(4, 100).round(6)
    array([0.040154, 0.048343, 0.064127, 0.111072])
    """
    freedoms = _freedoms(_positive("size", size))
    return np.asarray(np.sqrt(polygamma(1, freedoms / 2) / (4 * _positive("steps", steps))))


def moment_rate(size: int, moment: float = 2.0, gain: float = 1.0) -> float:
    """log (E‖Px‖^p)^(1/p) per step, of any fixed vector x: what a *mean* norm grows by, in nats per step.

    p = 2 gives log gain at every size; p → 0 the leading exponent, by which the *typical* norm grows
    (G. Cohen, C. Newman, Ann. Probab. 12, 1984).

    >>> abs(moment_rate(8)) < 1e-12, round(moment_rate(8, 1e-6) - float(exponents(8)[0]), 6)
    (True, 0.0)

    Raises ValueError for p = 0 and for p ≤ −N, where the mean is infinite.
    """
    size = _positive("size", size)
    if moment == 0 or not -size < moment < np.inf:
        raise ValueError(f"moment = {moment}: expected a number above −size = {-size}, and not 0.")
    if abs(moment) > size / 2:
        rate = (gammaln((size + moment) / 2) - gammaln(size / 2)) / moment
    else:  # the two would cancel: the same is half the mean of ψ between the two arguments
        rate = 0.5 * _WEIGHTS @ digamma((size + moment * _NODES) / 2)
    return _log(gain) + 0.5 * float(np.log(2 / size)) + float(rate)


def mean_log_determinant(size: int) -> float:
    """E log|det W| of a matrix with entries N(0, 1/N): the sum of all exponents. −N/2 or so.

    >>> round(mean_log_determinant(2), 6)
    -1.270363
    """
    return float(exponents(size).sum())


def limit(share: ArrayLike, gain: float = 1.0) -> Array:
    """log gain + ½ log(1 − s), s = k/N: the exponents as N → ∞, and also log|eigenvalue| of one such matrix.

    s is the share of exponents, or of eigenvalues, that are larger: by the circular law eigenvalues fill the disc
    of radius gain evenly, and powers of one large Gaussian matrix grow like products of independent ones
    (U. Haagerup, F. Larsen, J. Funct. Anal. 176, 2000).

    >>> limit([0.0, 0.75, 1.0]).round(6)
    array([ 0.      , -0.693147,      -inf])

    Raises ValueError for a share outside 0 … 1.
    """
    s = np.asarray(share, dtype=np.float64)
    if not ((s >= 0) & (s <= 1)).all():
        raise ValueError(f"share = {share!r}: expected numbers from 0 to 1.")
    with np.errstate(divide="ignore"):
        return np.asarray(_log(gain) + 0.5 * np.log1p(-s))


def _freedoms(size: int) -> Array:
    """N − k + 1: the dimensions that are left to the k-th vector of the frame."""
    return np.arange(size, 0, -1, dtype=np.float64)


def _log(gain: float) -> float:
    if not 0 < gain < np.inf:
        raise ValueError(f"gain = {gain}: expected a positive number.")
    return float(np.log(gain))


def _positive(name: str, value: int) -> int:
    if (number := checks.integer(name, value)) < 1:
        raise ValueError(f"{name} = {value}: expected an integer from 1.")
    return number
