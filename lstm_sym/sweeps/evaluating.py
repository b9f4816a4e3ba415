"""One batch of points, evaluated where it is sent to."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_sym.flow import wide
from lstm_sym.sweeps.grids import RNG, Scalar
from lstm_sym.sweeps.identities import generator

Array = np.ndarray[Any, np.dtype[Any]]
Values = dict[str, Array]

#: The name of a result that comes without one.
VALUE = "value"
#: Seconds after which the rest of a batch is sent back, for other workers.
ENOUGH = 0.3
#: Frames of a traceback that are kept, and characters of a message.
FRAMES, CHARACTERS = 4, 2000


class Reason(NamedTuple):
    """Why a point failed: the exception's type, its message, and the last lines of its traceback."""

    error: str
    message: str
    traceback: tuple[str, ...] = ()


Outcome = Values | Reason


class Item(NamedTuple):
    """One point to evaluate: its number, its values on the axes, the key of its random numbers if it takes any."""

    number: int
    values: tuple[Scalar, ...]
    key: bytes | None


@dataclass(frozen=True)
class Call:
    """What all points of a sweep share."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    seed: int

    def __call__(self, item: Item) -> Outcome:
        """The values at one point, or why there are none."""
        constants = {name: _fresh(value) for name, value in self.constants.items()}
        arguments = {**constants, **dict(zip(self.names, item.values, strict=True))}
        if item.key is not None:
            arguments[RNG] = generator(self.seed, item.key)
        try:
            return as_values(self.function(**arguments))
        except (Exception, SystemExit) as error:
            return reason(error)


def evaluate(call: Call, items: Sequence[Item]) -> tuple[list[Outcome], float]:
    """The outcomes of a batch, and the seconds that they took; of its first points alone, if they take too long."""
    found: list[Outcome] = []
    with one_thread():
        start = time.perf_counter()
        for item in items:
            found.append(call(item))
            if time.perf_counter() - start > ENOUGH:
                break
        return found, time.perf_counter() - start


def as_values(result: Any) -> Values:
    """What a function returned, by name, as arrays of bool, int64, float64 or complex128."""
    if not isinstance(result, Mapping):
        return {VALUE: an_array("the function's result", result)}
    if not result:
        raise TypeError("the function returned an empty mapping: expected numbers or arrays by name.")
    for name in result:
        if not isinstance(name, str) or not name.isprintable() or not name.strip() or name.startswith("_"):
            raise TypeError(
                f"the function returned a mapping with the name {name!r}: expected text, without _ first."
            )
    return {name: an_array(f"the function's result {name!r}", result[name]) for name in sorted(result)}


def an_array(what: str, value: Any) -> Array:
    """``value`` as a plain array of its own."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise TypeError(f"{what} is not a rectangular array of numbers.") from None
    if np.ma.is_masked(value):
        raise TypeError(f"{what} has masked entries: expected numbers. Fill them first.")
    kinds = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64, "c": np.complex128}
    if array.dtype.kind not in kinds:
        raise TypeError(
            f"{what} is {_short(value)}: expected a number, an array, or a mapping from names to these."
        )
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        return array.astype(np.float64)
    return np.array(array, dtype=kinds[array.dtype.kind], order="C")


def reason(error: BaseException) -> Reason:
    """The record of an exception; the same on every machine: files without their folders."""
    frames = traceback.extract_tb(error.__traceback__)
    frames = traceback.StackSummary([frame for frame in frames if frame.filename != __file__][-FRAMES:])
    lines = [f"{Path(f.filename).name}:{f.lineno} in {f.name}: {f.line or ''}".rstrip(": ") for f in frames]
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be shown)"
    return Reason(type(error).__name__, _written(message[:CHARACTERS]), tuple(map(_written, lines)))


def _written(text: str) -> str:
    """``text`` as it can be written anywhere: what UTF-8 has no bytes for (lone surrogates) is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _fresh(value: Any) -> Any:
    """A copy: what one point does to a list of constants is not seen by the next."""
    return [_fresh(item) for item in value] if isinstance(value, list) else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Limit:
    """One BLAS thread as long as any thread of this process is within; put back when the last one leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: AbstractContextManager[Any] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._limits = wide.one_thread()
                self._limits.__enter__()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and self._limits is not None:
                    self._limits.__exit__(None, None, None)
                    self._limits = None


one_thread = _Limit()
