"""One sweep at a time in a folder: the system's lock, which ends with its process, however that ends."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds to wait for a lock, which may be that of a process that is just ending.
PATIENCE = 1.0
#: Handles of the locks that this process holds, so that copies of it (fork) do not.
_held: set[int] = set()


@contextmanager
def locked(file: Path, refusal: str) -> Iterator[None]:
    """Hold the lock on ``file``, which is created; BlockingIOError with the text ``refusal`` if another has it."""
    _let_go_in_copies()
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(handle)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _taken(handle):
            if time.monotonic() > deadline:
                raise BlockingIOError(refusal)
            time.sleep(0.05)
        yield
    finally:
        _held.discard(handle)
        os.close(handle)


@functools.cache
def _let_go_in_copies() -> None:
    """A lock lasts until every copy of its handle is closed: a worker that outlives this process must have none."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    while _held:
        os.close(_held.pop())


if sys.platform == "win32":
    import msvcrt

    def _taken(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _taken(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
