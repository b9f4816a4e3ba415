"""Arrays in ``.npz`` files whose bytes depend on the arrays alone, and whose damage is seen when they are read."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: What reading a file that is none may raise; RuntimeError: encrypted, SyntaxError: a header that is none.
_TROUBLE = (
    *(zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, NotImplementedError, OSError),
    *(RuntimeError, SyntaxError, TypeError, MemoryError, OverflowError),
)


class DamagedError(ValueError):
    """A file that is not what was written."""


def write(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write ``arrays`` as an uncompressed .npz file, which ``numpy.load`` reads as well."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.file_size = array.nbytes + 1024  # decides whether it needs the format for large files
            with archive.open(member, "w") as content:
                np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)


def read(file: IO[bytes]) -> dict[str, Array]:
    """The arrays in ``file``, checked by the checksums in it, or DamagedError."""
    try:
        with zipfile.ZipFile(file) as archive:
            return {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}
    except _TROUBLE as error:
        raise DamagedError(str(error)) from None


def packed(arrays: Mapping[str, Array]) -> bytes:
    """What ``write`` writes."""
    buffer = io.BytesIO()
    write(buffer, arrays)
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, Array]:
    """The arrays in ``data``, or DamagedError if ``packed`` would not have written exactly that."""
    arrays = read(io.BytesIO(data))
    try:
        same = packed(arrays) == data
    except _TROUBLE as error:
        raise DamagedError(str(error)) from None
    if not same:
        raise DamagedError("its bytes are not those of its arrays")
    return arrays


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as content:
        array: Array = np.lib.format.read_array(content, allow_pickle=False)
        if content.read():  # to the end: only there the checksum is compared
            raise DamagedError("more than an array")
        return array
