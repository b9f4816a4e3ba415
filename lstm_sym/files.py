"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name in ``target``'s folder to write to; renamed to it at the end, removed if anything fails.

    A symbolic link is followed. Raises OSError, naming the target, if its folder is missing or not writable, or if
    something that is no ordinary file (a folder, a device) has that name.
    """
    final = Path(os.path.realpath(target))
    if final.exists() and not final.is_file():
        raise OSError(f"cannot write {target}: it is not an ordinary file.")
    if not final.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: there is no folder {final.parent}.")
    try:
        handle, name = tempfile.mkstemp(dir=final.parent, prefix=".lstm_sym.")
    except OSError as error:
        raise OSError(f"cannot write {target}: {error.strerror}.") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_text(target: str | os.PathLike[str], text: str) -> Path:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(target)
