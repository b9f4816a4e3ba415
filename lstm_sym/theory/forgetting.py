"""The direct path of an LSTM whose forget gate stands at its bias: a gradient falls as σ(b_f)^k."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def log_forget(b_f: ArrayLike) -> Any:
    """log σ(b_f), the slope of the direct path in nats per step.

    >>> round(float(log_forget(1.0)), 6)
    -0.313262
    """
    return -np.logaddexp(0.0, -np.asarray(b_f, dtype=np.float64))


def time_constant(b_f: ArrayLike) -> Any:
    """−1/log σ(b_f): the steps in which the direct path falls to 1/e (Gers, Schmidhuber & Cummins 2000).

    >>> round(float(time_constant(3.0)), 6), float(time_constant(1000.0))
    (20.581488, inf)
    """
    with np.errstate(divide="ignore", over="ignore"):  # inf from b_f = 710 on, beyond the largest double
        return -1.0 / log_forget(b_f)


def forget_bias(constant: ArrayLike) -> Any:
    """The forget bias with that time constant: the inverse of ``time_constant``.

    >>> round(float(forget_bias(time_constant(5.0))), 12)
    5.0

    Raises ValueError for a time constant that is not positive.
    """
    steps = np.asarray(constant, dtype=np.float64)
    if not (steps > 0).all():
        raise ValueError(f"time constant = {constant!r}: expected positive numbers of steps.")
    with np.errstate(divide="ignore", over="ignore"):
        slope = -1.0 / steps
        return slope - np.log(-np.expm1(slope))
