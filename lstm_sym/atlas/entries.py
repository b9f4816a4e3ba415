"""The records that the analyses leave in a folder, read with care: a folder may hold anything."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: The order of the figures in the atlas; others come behind, by name.
ORDER = (
    "gradient_reach",
    "singular_value_waterfall",
    "lyapunov_spectra",
    "edge_of_chaos",
    "input_against_chaos",
    "lstm_phase_diagram",
    "gru_phase_diagram",
    "eigenvalue_clouds",
    "finite_time_statistics",
    "who_carries_the_gradient",
    "learning_the_adding_problem",
)
#: Each record has at least one of these.
_PARTS = ("title", "claim", "landmarks", "parameters", "equations")
_NUMBERS = ("computed", "theory", "difference", "error")
#: Records larger than this are no records.
_LARGEST = 20_000_000
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Mark:
    """A landmark as it is shown: numbers that are missing, or no numbers, are NaN."""

    what: str
    computed: float
    theory: float
    difference: float
    error: float

    @property
    def multiple(self) -> float:
        """How many stated errors the difference is; NaN where no error is stated, or nothing was computed."""
        if math.isnan(self.difference) or math.isnan(self.error) or self.error < 0:
            return math.nan
        if self.error == 0 or math.isinf(self.error):
            return 0.0 if self.difference == 0 or math.isinf(self.error) else math.inf
        return abs(self.difference) / self.error


@dataclass(frozen=True)
class Picture:
    """A PNG and its size in pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Entry:
    """One figure of the atlas.

    missing: what should be beside the record and is not.
    files: the names of those files beside it that a reader may want.
    """

    name: str
    title: str
    texts: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False
    command: str = ""
    landmarks: tuple[Mark, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    equations: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    picture: Picture | None = None
    dark: Picture | None = None
    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read(folder: Path) -> tuple[list[Entry], dict[str, str]]:
    """The entries of ``folder`` in the order of the atlas, and by file name why others were left out."""
    entries, left_out = [], {}
    for path in sorted(folder.glob("*.json"), key=lambda path: _place(path.stem)):
        if path.name.startswith("."):
            continue
        try:
            entries.append(_entry(path))
        except (OSError, ValueError, RecursionError) as error:
            left_out[printable(path.name)] = printable(_reason(error))
    return entries, left_out


def printable(value: Any) -> str:
    """``value`` as text that HTML may hold: what has no place there becomes �."""
    return _UNPRINTABLE.sub("�", value if isinstance(value, str) else str(value))


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply."
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}."
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8."
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _entry(path: Path) -> Entry:
    record = _record(path)
    name = path.stem
    beside = [f"{name}{kind}" for kind in (".png", ".pdf", ".npz")]
    pictures = {kind: _picture(path.with_name(f"{name}{kind}")) for kind in (".png", ".dark.png")}
    there = [file for file in beside if path.with_name(file).is_file()]
    return Entry(
        name=printable(name),
        title=_text(record, "title") or printable(name).replace("_", " ").capitalize(),
        texts={part: _text(record, part) for part in ("claim", "methods", "figure", "landmark")},
        quick=record.get("quick") is True,
        command=_text(record, "command"),
        landmarks=tuple(_mark(row) for row in _list(record, "landmarks") if isinstance(row, Mapping)),
        parameters=_mapping(record, "parameters"),
        versions=_mapping(record, "versions"),
        equations={label: printable(text) for label, text in _mapping(record, "equations").items()},
        remarks=tuple(printable(line) for line in _list(record, "remarks")),
        picture=pictures[".png"],
        dark=pictures[".dark.png"],
        files=(*there, path.name),
        missing=tuple(printable(file) for file in beside if file not in there),
    )


def _record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError("not an ordinary file.")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"larger than {_LARGEST / 1e6:.0f} MB: not a record of an analysis.")
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict) or not isinstance(record.get("name"), str) or not record.keys() & set(_PARTS):
        raise ValueError("not a record of an analysis.")
    return record


def _text(record: Mapping[str, Any], part: str) -> str:
    found = record.get(part)
    return printable(found).strip() if isinstance(found, str) else ""


def _list(record: Mapping[str, Any], part: str) -> list[Any]:
    found = record.get(part)
    return found if isinstance(found, list) else []


def _mapping(record: Mapping[str, Any], part: str) -> dict[str, Any]:
    found = record.get(part)
    return {printable(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def _mark(row: Mapping[str, Any]) -> Mark:
    computed, theory, difference, error = (_number(row.get(name)) for name in _NUMBERS)
    if math.isnan(difference):
        difference = computed - theory
    return Mark(printable(row.get("what", "")), computed, theory, difference, error)


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.inf


def _picture(path: Path) -> Picture | None:
    """The PNG of that name; None if there is none, or if it is something else."""
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError:
        return None
    if not data.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") or not data.rstrip().endswith(b"IEND\xaeB`\x82"):
        return None
    width, height = struct.unpack(">II", data[16:24])
    return Picture(data, width, height) if width and height else None
