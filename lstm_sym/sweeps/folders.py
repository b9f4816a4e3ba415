"""A sweep's folder: ``grid.json``, a file for each finished point in ``points``, and the results in the end.

Every file appears whole or not at all, and its bytes depend on nothing but what it says.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lstm_sym.files import replacing
from lstm_sym.sweeps import archives
from lstm_sym.sweeps.archives import Array
from lstm_sym.sweeps.evaluating import Outcome, Reason
from lstm_sym.sweeps.locks import locked
from lstm_sym.sweeps.settings import FORMAT

GRID, RESULTS, POINTS, LOCK = "grid.json", "results", "points", ".lock"
#: How names of files begin that are not finished yet.
UNFINISHED = ".lstm_sym."
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def as_text(value: Any) -> bytes:
    """JSON, for people to read and always the same."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


class Folder:
    """The files of one sweep."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path) or "\0" in str(path):
            raise TypeError(f"folder = {path!r}: expected the path of a folder.")
        self.path = Path(path).expanduser()

    @contextmanager
    def mine(self) -> Iterator[None]:
        """The folder, created if need be, for this process alone; without what a killed one has left half-done.

        FileExistsError if there are other things in it, which no sweep has left.
        """
        if other := self._foreign():
            raise FileExistsError(
                f"folder = {self.path}: {other} in it is not of a sweep. Give a new or an empty folder."
            )
        with self._writing(self.path):
            (self.path / POINTS).mkdir(parents=True, exist_ok=True)
        busy = f"{self.path}: another sweep is at work in this folder. Wait for it, or choose another folder."
        with contextlib.ExitStack() as stack:
            with self._writing(self.path / LOCK):
                stack.enter_context(locked(self.path / LOCK, busy))
            for file in [*os.scandir(self.path), *self._points()]:
                if file.name.startswith(UNFINISHED):
                    os.unlink(file)
            yield

    def record(self) -> dict[str, Any] | None:
        """What grid.json says, None if there is none or it is damaged."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            said = json.loads((self.path / GRID).read_bytes())
            return said if isinstance(said, dict) else None
        return None

    def _foreign(self) -> str:
        """The name of something in the folder that shows that no sweep has made it; none: empty."""
        names = sorted(os.listdir(self.path)) if self.path.is_dir() else []
        record = self.record() or {}
        if GRID in names:
            damaged = POINTS in names and LOCK in names
            return "" if record.get("format") == FORMAT or damaged else GRID
        own = (POINTS, LOCK)
        return next((name for name in names if name not in own and not name.startswith(UNFINISHED)), "")

    def no_results(self) -> None:
        """Remove the results, before what they are of changes."""
        for ending in (".npz", ".json"):
            (self.path / f"{RESULTS}{ending}").unlink(missing_ok=True)

    def finished(self) -> set[str]:
        """Names of the files of points that are there."""
        return {file.name for file in self._points()}

    def read(self, name: str, finished: set[str]) -> Outcome | None:
        """The outcome of the point called ``name``; None if it is not there, or damaged."""
        if f"{name}.npz" in finished:
            with contextlib.suppress(archives.DamagedError, OSError):
                return dict(archives.unpacked(self._file(f"{name}.npz").read_bytes()))
        if f"{name}.json" in finished:
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                data = self._file(f"{name}.json").read_bytes()
                record = json.loads(data)
                if as_text(record) == data:
                    return Reason(record["error"], record["message"], tuple(record["traceback"]))
        return None

    def write(self, name: str, point: Mapping[str, Any], outcome: Outcome, finished: set[str]) -> None:
        """Keep the outcome of a point; ``finished``: what is there already."""
        if isinstance(outcome, Reason):
            kept, other = f"{name}.json", f"{name}.npz"
            data: bytes | Mapping[str, Array] = as_text({"point": dict(point), **outcome._asdict()})
        else:
            kept, other, data = f"{name}.npz", f"{name}.json", outcome
        self.put(self._file(kept), data)
        if other in finished:
            self._file(other).unlink(missing_ok=True)

    def put(self, file: Path, what: bytes | Mapping[str, Array]) -> None:
        """Write bytes or arrays to ``file``, whole or not at all."""
        with self._writing(file):
            try:
                _replace(file, what)
            except FileNotFoundError:
                file.parent.mkdir(parents=True, exist_ok=True)
                _replace(file, what)

    def _points(self) -> Iterator[os.DirEntry[str]]:
        if (self.path / POINTS).is_dir():
            for part in list(os.scandir(self.path / POINTS)):
                yield from list(os.scandir(part)) if part.is_dir() else ()

    def _file(self, name: str) -> Path:
        return self.path / POINTS / name[:2] / name

    @contextmanager
    def _writing(self, file: Path) -> Iterator[None]:
        """An OSError within says which file it is about, and what is kept."""
        try:
            yield
        except BlockingIOError:
            raise
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            what = f"cannot write {file}: {error.strerror}." if error.strerror else str(error)
            kept = f" What is finished in {self.path} is kept: run again to go on." if cause.errno in FULL else ""
            raise OSError(f"{what}{kept}") from error


def _replace(file: Path, what: bytes | Mapping[str, Array]) -> None:
    with replacing(file) as temporary, temporary.open("wb") as opened:
        if isinstance(what, bytes):
            opened.write(what)
        else:
            archives.write(opened, what)
