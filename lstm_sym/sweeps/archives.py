"""Arrays in ``.npz`` files whose bytes depend on nothing but the arrays, checked to the last bit when read."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class DamagedError(ValueError):
    """A file that is not what was written."""


def packed(arrays: Mapping[str, Array]) -> bytes:
    """``arrays`` as the bytes of an uncompressed .npz file, which ``numpy.load`` reads as well."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, Array]:
    """The arrays in ``data``, or DamagedError if ``packed`` would not have written exactly that."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        arrays = {
            name: np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)
            for name, member in members.items()
        }
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, NotImplementedError, OSError) as error:
        raise DamagedError(str(error)) from None
    except (RuntimeError, SyntaxError, TypeError, MemoryError, OverflowError, RecursionError) as error:
        raise DamagedError(str(error)) from None  # encrypted? a header that is no header
    if packed(arrays) != data:
        raise DamagedError("its bytes are not those of its arrays")
    return arrays
