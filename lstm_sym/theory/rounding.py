"""Lyapunov exponents where a frame is made orthonormal only once in several steps: what rounding does to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_sym import checks

EPSILON = float(np.finfo(np.float64).eps)


def logs_at_interval(matrices: ArrayLike, frame: ArrayLike, interval: int) -> NDArray[np.float64]:
    """QR logs Σ log|r_kk| of a product as much code takes them: a factorisation every ``interval`` steps.

    matrices: (T, S, S), the first acts first; frame: (S, k), orthonormal, where it starts. (k,), descending, nats,
    wrong by T times ``interval_error`` or so: ``ls.lyapunov_spectrum`` is the one to use.

    >>> same = np.broadcast_to([[2.0, 1.0], [1.0, 1.0]], (120, 2, 2))                   # of determinant 1
    >>> [bool(abs(logs_at_interval(same, np.eye(2), m).sum()) < 1e-3) for m in (1, 10, 20)]
    [True, True, False]

    A diagonal entry of 0 counts as the least normal double. Raises ValueError for an interval below 1, or shapes
    that do not fit.
    """
    steps, columns = checks.finite("matrices", matrices), checks.finite("frame", frame)
    if (every := checks.integer("interval", interval)) < 1:
        raise ValueError(f"interval = {interval!r}: expected steps from 1.")
    if columns.ndim != 2 or columns.shape[1] > len(columns) or steps.shape[1:] != 2 * columns.shape[:1]:
        raise ValueError(f"matrices {steps.shape}, frame {columns.shape}: expected (T, S, S) and (S, k), k ≤ S.")
    logs = np.zeros(columns.shape[1])
    for start in range(0, len(steps), every):
        for step in steps[start : start + every]:
            columns = step @ columns
        columns, triangle = np.linalg.qr(columns)
        logs += np.log(np.maximum(np.abs(np.diag(triangle)), np.finfo(np.float64).tiny))
    return np.sort(logs)[::-1]


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
