"""Numbers of any magnitude: mantissa × 2^exponent, the mantissa a float and the exponent an integer.

Products are exact but for one rounding of the mantissa, so nothing is lost over a million factors, and no
intermediate result can overflow or underflow.  A mantissa of 0 is zero, whatever its exponent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LOG_2 = float(np.log(2.0))

#: The state size up to which a second BLAS thread costs more than it brings.
SERIAL = 256


@contextmanager
def quiet(size: int) -> Iterator[None]:
    """Within: BLAS does not fork in vain, and what leaves the range of a double goes unreported: scales that are
    split off fall to 0, and a frame that overflows is seen and taken again in shorter strides.

    For states of at most ``SERIAL`` numbers BLAS is held to one thread, if threadpoolctl is installed; both
    settings are put back at the end.
    """
    unreported = np.errstate(under="ignore", over="ignore", invalid="ignore", divide="ignore")
    with unreported, one_thread() if size <= SERIAL else nullcontext():
        yield


def one_thread() -> AbstractContextManager[Any]:
    """One BLAS thread within, if threadpoolctl is installed."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def split(values: Array) -> tuple[Array, Integers]:
    """``values`` = mantissa × 2^exponent with ½ ≤ |mantissa| < 1, or mantissa 0."""
    mantissa, exponent = np.frexp(values)
    return mantissa, exponent.astype(np.int64)


def scale(values: Array, exponent: Any) -> Array:
    """``values`` × 2^exponent; results below the range of a double become 0."""
    scaled: Array = np.ldexp(values, np.clip(exponent, -4096, 1023).astype(np.int32))
    return scaled


def log2(mantissa: Array, exponent: Integers) -> Array:
    """Binary logs of |mantissa| × 2^exponent, −inf for zero."""
    magnitude = np.abs(mantissa)
    logs = np.full(np.broadcast_shapes(magnitude.shape, exponent.shape), -np.inf)
    np.log2(magnitude, out=logs, where=magnitude > 0)
    return logs + exponent


def logs(mantissa: Array, exponent: Integers) -> Array:
    """Natural logs of |mantissa| × 2^exponent, −inf for zero."""
    magnitude = np.abs(mantissa)
    out = np.full(np.broadcast_shapes(magnitude.shape, exponent.shape), -np.inf)
    np.log(magnitude, out=out, where=magnitude > 0)
    return np.asarray(out + exponent * LOG_2)


def log(values: Array) -> Array:
    """Natural logs of |values|, −inf for zero, without a warning."""
    return logs(*split(values))


def normalised(values: Array, axis: int | tuple[int, ...]) -> tuple[Array, Integers]:
    """``values`` = result × 2^exponent, the largest |result| along ``axis`` in [½, 1), or all of them 0."""
    _, exponent = split(np.max(np.abs(values), axis=axis, initial=0.0))
    return scale(values, -np.expand_dims(exponent, axis)), exponent
