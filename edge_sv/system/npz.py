"""Files of arrays (.npz, .npy), read without trusting them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError, reason_of
from edge_sv.system import files
from edge_sv.system.files import LARGEST_FILE
from edge_sv.system.packed import read_file

# What numpy and zipfile raise on flipped and missing bytes.
_DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, MemoryError, OverflowError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that numpy writes; others may take any memory to unpack."""


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of an npz file, which may lie packed (`edge_sv.system.packed`).

    Raises:
        DataError: not readable, damaged, something in it is no array, or more than `LARGEST_FILE` bytes unpacked.
    """
    return parse_arrays(read_file(path), path)


def parse_arrays(data: bytes, source: Path | str) -> dict[str, npt.NDArray[Any]]:
    """Return all arrays of an npz file's content; `source` names it in errors.

    Raises:
        DataError: damaged, something in it is no array, or more than `LARGEST_FILE` bytes unpacked: a small file may
            promise more than memory holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size(archive.infolist())
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: _as_array(name, arrays[name]) for name in arrays.files}
    except _DAMAGE as error:
        raise DataError(
            f"{source} is damaged",
            details={"got": reason_of(error)},
            hint="copy it again, or remove it",
        ) from error


def read_array(path: Path, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Read an npy file of a type of values.

    Raises:
        DataError: not readable, damaged, or of another type.
    """
    try:
        array = np.load(io.BytesIO(files.read_file(path)), allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype != dtype:
            raise ValueError(f"no array of {np.dtype(dtype)}")
    except _DAMAGE as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    return array


def dump_arrays(**arrays: npt.NDArray[Any]) -> bytes:
    """Return arrays as the content of an npz file, not compressed."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def _check_size(members: list[zipfile.ZipInfo]) -> None:
    if any(member.compress_type not in _COMPRESSIONS for member in members):
        raise ValueError("packed in a way that numpy does not write")
    if (unpacked := sum(member.file_size for member in members)) > LARGEST_FILE:
        raise ValueError(f"it unpacks to {unpacked:,} bytes, more than {LARGEST_FILE:,}")


def _as_array(name: str, content: Any) -> npt.NDArray[Any]:
    """Refuse what else a ZIP archive may hold; numpy hands out its bytes."""
    if not isinstance(content, np.ndarray):
        raise ValueError(f"'{name}' in it is no array")
    return content
