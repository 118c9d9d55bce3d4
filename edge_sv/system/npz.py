"""Files of named arrays (.npz), read without trusting them."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.system.packed import read_file

# What numpy and zipfile raise on flipped and missing bytes.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of an npz file, which may lie packed (`edge_sv.system.packed`).

    Raises:
        DataError: not readable, damaged, or something in it is no array.
    """
    data = read_file(path)
    try:
        archive = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("one array, not an archive of named ones")
        return {name: _as_array(name, archive[name]) for name in archive.files}
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged", details={"got": str(error)}, hint="copy it again, or remove it"
        ) from error


def _as_array(name: str, content: Any) -> npt.NDArray[Any]:
    """Refuse what else a ZIP archive may hold; numpy hands out its bytes."""
    if not isinstance(content, np.ndarray):
        raise ValueError(f"'{name}' in it is no array")
    return content
