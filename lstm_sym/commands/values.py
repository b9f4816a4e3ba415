"""Text from the command line as numbers and lists of them, by rules of our own: nothing is evaluated."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

Value = int | float | str

#: The most values on one axis, and the longest text of a number.
MOST, LONGEST = 10_000, 40
_NUMBER = re.compile(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
RANGE = "START:STOP:COUNT, START:STOP:COUNT:log or a list 1,2,5"


def number(what: str, text: str) -> float:
    """``text`` as a finite number.

    >>> number("gain", "-1.5e-3")
    -0.0015
    """
    if len(text) > LONGEST or not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError(f"{what}: {_shown(text)} is not a number. Expected one like 2, -0.5 or 1e-3.")
    return value


def integer(what: str, text: str) -> int:
    """``text`` as an integer.

    >>> integer("hidden", "64")
    64
    """
    if len(text) > LONGEST or not _INTEGER.fullmatch(text):
        raise ValueError(f"{what}: {_shown(text)} is not an integer. Expected one like 64.")
    return int(text)


def values(what: str, text: str, integers: bool = False) -> list[int] | list[float]:
    """A range or a list as numbers; ends of a range are included.

    >>> values("gain", "0.5:2:4"), values("hidden", "16,64", integers=True)
    ([0.5, 1.0, 1.5, 2.0], [16, 64])
    >>> values("gain", "0.01:100:5:log")
    [0.01, 0.1, 1.0, 10.0, 100.0]

    Raises ValueError for text that is neither, too many values, integers that a range does not meet.
    """
    if ":" in text:
        found = _range(what, text)
        return [_whole(what, text, value) for value in found] if integers else found
    parts = text.split(",")
    if len(parts) > MOST:
        raise ValueError(f"{what} has {len(parts)} values: expected at most {MOST}.")
    if integers:
        return [integer(what, part) for part in parts]
    return [number(what, part) for part in parts]


def pair(option: str, text: str) -> tuple[str, str]:
    """NAME=VALUE taken apart.

    >>> pair("--set", "hidden=64")
    ('hidden', '64')
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ValueError(f"{option} {_shown(text)}: expected NAME=VALUE.")
    return name, value


def once(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The pairs as a dict, or ValueError for a name that comes twice."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{option} {name} is given twice.")
        found[name] = value
    return found


def _range(what: str, text: str) -> list[float]:
    parts = text.split(":")
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise ValueError(f"{what}: {_shown(text)} is no range. Expected {RANGE}.")
    start, stop, count = number(what, parts[0]), number(what, parts[1]), integer(f"{what}: COUNT", parts[2])
    if not 1 <= count <= MOST:
        raise ValueError(f"{what}: COUNT = {count}: expected 1 to {MOST}.")
    if (start == stop) != (count == 1):
        raise ValueError(f"{what}: {_shown(text)} has its values twice, or an end too many.")
    if len(parts) == 3:
        return [float(value) for value in np.linspace(start, stop, count)]
    if min(start, stop) <= 0:
        raise ValueError(f"{what}: {_shown(text)}: a logarithmic range needs positive ends.")
    return [float(f"{value:.15g}") for value in np.geomspace(start, stop, count)]


def _whole(what: str, text: str, value: float) -> int:
    if abs(value - round(value)) > 1e-9 * max(1.0, abs(value)):
        raise ValueError(f"{what}: {_shown(text)} has {value:g} in it: expected integers only.")
    return round(value)


def _shown(text: str) -> str:
    """Text as it may be repeated in a message."""
    return ascii(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")
