"""One sweep at a time in a folder: the system's lock, which ends with its process, however that ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds to wait for a lock: the workers of a process that was killed hold its lock until they have noticed.
PATIENCE = 3.0


@contextmanager
def locked(file: Path, refusal: str) -> Iterator[int]:
    """Hold the lock on ``file``, which is created; OSError with the text ``refusal`` if another process does."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _taken(handle):
            if time.monotonic() > deadline:
                raise BlockingIOError(refusal)
            time.sleep(0.05)
        yield handle
    finally:
        os.close(handle)


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
