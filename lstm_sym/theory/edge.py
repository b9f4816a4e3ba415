"""The edge of a finite Gaussian matrix: where its outermost eigenvalue is, which the circular law leaves open.

Eigenvalues beyond a circle near the edge become independent, so that the radius has a Gumbel law in the limit
(B. Rider, C. Sinclair, Ann. Appl. Probab. 24, 2014), and how many to expect is known exactly at any size:
``circular.expected_eigenvalues``. The probability that none is beyond is then exp(−number of pairs and real ones).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_sym.theory.circular import expected_eigenvalues

Array = NDArray[np.float64]


def log_radius(size: int) -> tuple[float, float]:
    """Mean and standard deviation of the log of the spectral radius, N×N, entries N(0, 1/N).

    The leading exponent of h' = tanh(g W h) below its transition is log g more; as N → ∞ it is log g. Neighbours at
    the edge are not quite independent: the mean is too low, by 0.005 at N = 64, 0.004 at 100 and 0.001 at 300, and
    the deviation too large, by 9, 8 and 5 % (sampled); more at smaller sizes, 0.08 at N = 2.

    >>> mean, deviation = log_radius(300)
    >>> round(mean, 3), round(deviation, 3)
    (0.034, 0.02)
    """
    points, weights = expected_eigenvalues(size)
    kept = (points.imag >= 0) & (weights > 0)  # one of each pair
    radii, numbers = np.abs(points[kept]), size * weights[kept]
    order = np.argsort(-radii)
    logs, beyond = np.log(radii[order]), np.cumsum(numbers[order])
    chances = -np.diff(np.exp(-beyond), prepend=1.0)
    mean = float(chances @ logs / chances.sum())
    return mean, float(np.sqrt(chances @ (logs - mean) ** 2 / chances.sum()))
