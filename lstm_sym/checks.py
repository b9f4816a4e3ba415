"""Refusals: one place for what a bad argument is answered with.

Every message says what was given, what was expected and, where it helps, what to do.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

#: Sizes above this are refused before work begins: one n×n float64 matrix would pass 2 GB.
LARGEST_SIZE = 16_384
#: Bytes above which an array is not even asked for.
LARGEST_ARRAY = 2**36


class UnknownNameError(KeyError, ValueError):
    """A name that is not among the known ones; the message lists those."""

    def __str__(self) -> str:
        return str(self.args[0])


def unknown_name(what: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """The error for ``name``, which should have been one of ``known`` (a near miss is suggested)."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    if not near:  # capitals do not make a name another one
        by_lower = {known.lower(): known for known in reversed(names)}
        near = [by_lower[known] for known in difflib.get_close_matches(str(name).lower(), by_lower, n=1)]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listing = ", ".join(names) if names else "none"
    return UnknownNameError(f"unknown {what} {name!r}.{hint} Known: {listing}.")


def size(what: str, value: object) -> int:
    """``value`` as a positive size, or TypeError / ValueError."""
    number = integer(what, value)
    if not 1 <= number <= LARGEST_SIZE:
        raise ValueError(f"{what} = {number}: expected an integer from 1 to {LARGEST_SIZE}.")
    return number


def real_scalar(what: str, value: Any) -> float:
    """``value`` as one finite real number, or TypeError / ValueError."""
    array = finite(what, value)
    if array.ndim or array.dtype.kind == "c":
        raise TypeError(f"{what} = {value!r}: expected one real number.")
    return float(array)


def tolerance(what: str, value: Any) -> float:
    """``value`` as one positive real number of at most 1, or TypeError / ValueError."""
    number = real_scalar(what, value)
    if not 0 < number <= 1:
        raise ValueError(f"{what} = {number:g}: expected a positive number of at most 1.")
    return number


def generator(rng: Any) -> np.random.Generator:
    """The Generator that ``rng`` is, or that it seeds."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            f"rng = {rng!r}: expected a numpy.random.Generator, a non-negative integer or None."
        ) from None


def fits(what: str, *shape: int) -> None:
    """ValueError if a float64 array of that shape would be absurdly large."""
    needed = 8 * math.prod(shape)
    if needed > LARGEST_ARRAY:
        raise ValueError(f"{what} would take {needed / 2**30:,.0f} GiB, more than {LARGEST_ARRAY / 2**30:.0f}.")


def integer(what: str, value: object) -> int:
    """``value`` as an int (NumPy integers are welcome, booleans and floats are not), or TypeError."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{what} = {value!r}: expected an integer.")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what} = {value!r}: expected an integer.") from None


def numeric(what: str, value: Any) -> np.ndarray:
    """``value`` as an array of floats or complex numbers; float32 and float64 are kept, integers become float64."""
    try:
        array = np.asarray(value)
    except ValueError:  # ragged nesting
        raise ValueError(f"{what} is not a rectangular array of numbers: its rows differ in length.") from None
    if np.ma.is_masked(value):
        raise ValueError(f"{what} has masked entries: expected numbers. Fill them first.")
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    if array.dtype.kind not in "fc":
        raise TypeError(f"{what} has dtype {array.dtype}: expected real or complex numbers.")
    return array


def finite(what: str, value: Any) -> np.ndarray:
    """``numeric(what, value)``, every entry finite; else ValueError naming the first bad entry's place."""
    array = numeric(what, value)
    good = np.isfinite(array)
    if not good.all():
        place = tuple(int(k) for k in np.argwhere(~good)[0])
        where = f"[{', '.join(map(str, place))}]" if place else ""
        count = int(good.size - np.count_nonzero(good))
        more = f" ({count} such entries)" if count > 1 else ""
        raise ValueError(f"{what}{where} is {array[place]}: expected finite numbers{more}.")
    return array
