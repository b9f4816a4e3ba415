"""What rounding does to Lyapunov exponents where a frame is made orthonormal only once in several steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_sym import checks

EPSILON = float(np.finfo(np.float64).eps)


def interval_error(spread: ArrayLike, interval: ArrayLike, epsilon: float = EPSILON) -> NDArray[np.float64]:
    """log(1 + ε·e^(mΔ))/m: about the worst error of exponents from a QR factorisation every m steps, nats per step.

    spread: Δ, the largest exponent less the least of those computed, in nats per step.

    Over m steps the frame gathers a condition number e^(mΔ), and rounding is to ε of its longest column: a log is
    off by ε·e^(mΔ) as long as that is small; beyond it, what is below ε of the largest comes out as ε of it.

    >>> interval_error(6.0, [1, 5, 20]).round(13)
    array([1.00000000e-13, 4.74012641e-04, 4.19781733e+00])

    No less than ε itself. Raises ValueError for an interval below 1, or a spread that is negative or not finite.
    """
    m, size = checks.finite("interval", interval), checks.finite("spread", spread)
    if m.size and m.min() < 1:
        raise ValueError(f"interval = {interval!r}: expected steps from 1.")
    if size.size and size.min() < 0:
        raise ValueError(f"spread = {spread!r}: expected numbers from 0, in nats per step.")
    return np.asarray(np.maximum(np.logaddexp(0.0, np.log(epsilon) + m * size) / m, epsilon))
