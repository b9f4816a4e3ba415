"""What this machine can do: the rate of its matrix products."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np

from lstm_sym.flow import wide


@lru_cache(maxsize=1)
def product_rate(size: int = 384, rounds: int = 5) -> float:
    """Floating-point operations per second of a size×size float64 matrix product on one thread, the best of a few.

    Measured when first asked for (some milliseconds) and remembered.
    """
    A = np.ones((size, size)) / size
    out, best = np.empty_like(A), np.inf
    with wide.one_thread():
        np.matmul(A, A, out=out)
        for _ in range(rounds):
            start = time.perf_counter()
            np.matmul(A, A, out=out)
            best = min(best, time.perf_counter() - start)
    return float(2 * size**3 / best)
