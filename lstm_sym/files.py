"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name in ``target``'s folder to write to; renamed to it at the end, removed if anything fails.

    A symbolic link is followed. Raises OSError, naming the target, if its folder is missing or not writable, if
    something that is no ordinary file (a folder, a device) has that name, or if the disk is full.
    """
    final = Path(os.path.realpath(target))
    if final.exists() and not final.is_file():
        raise OSError(f"cannot write {target}: it is not an ordinary file.")
    if not final.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: there is no folder {final.parent}.")
    temporary = final.with_name(f".lstm_sym.{secrets.token_hex(8)}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        os.replace(temporary, final)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, temporary, str(temporary)):
            kept = "; what was there is kept" if final.exists() else ""
            raise OSError(f"cannot write {target}: {error.strerror or error}{kept}.") from error
        raise


def write_text(target: str | os.PathLike[str], text: str) -> Path:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(target)
