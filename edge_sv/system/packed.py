"""Files that may lie packed: NAME, or NAME.xz in its place, bit for bit the same when it is read.

What a file is, its sha256 among it, is decided by what it unpacks to. Where both lie, the plain one counts.
"""

from __future__ import annotations

import lzma
from pathlib import Path

from edge_sv.errors import DataError, reason_of
from edge_sv.system import files
from edge_sv.system.files import LARGEST_FILE

PACKED_SUFFIX = ".xz"
_UNPACKING_MEMORY = 128 << 20
"""Bytes that unpacking itself may take; the strongest preset of xz needs half of them."""
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}]
"""Numbers of four bytes: which byte of one it is tells more than the byte before."""


def pack(data: bytes) -> bytes:
    """Return the content of NAME.xz for that of NAME; same data, same bytes."""
    return lzma.compress(data, format=lzma.FORMAT_XZ, filters=_FILTERS)


def is_there(path: Path) -> bool:
    """Tell whether a file lies at its place, plain or packed."""
    return path.is_file() or _packed(path).is_file()


def read_file(path: Path) -> bytes:
    """Read a file, plain or packed.

    Args:
        path: the plain file's.

    Raises:
        DataError: there is neither, it cannot be read, or the packed one is damaged or too large.
    """
    place = path if path.is_file() or not _packed(path).is_file() else _packed(path)
    try:
        data = files.read_file(place)
    except OSError as error:
        raise DataError(f"cannot read {place}", details={"got": reason_of(error)}) from error
    return data if place == path else unpack(data, place)


def unpack(data: bytes, place: Path) -> bytes:
    """Return what a packed file holds.

    Args:
        data: its content.
        place: its path, for messages.

    Raises:
        DataError: damaged, cut off, followed by something else, or more than `LARGEST_FILE` bytes.
    """
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_UNPACKING_MEMORY)
    try:
        content = unpacker.decompress(data, max_length=LARGEST_FILE + 1)
    except lzma.LZMAError as error:
        raise _damaged(place, str(error)) from error
    if len(content) > LARGEST_FILE:
        raise _damaged(place, f"more than {LARGEST_FILE:,} bytes")
    if not unpacker.eof:
        raise _damaged(place, "cut off")
    if unpacker.unused_data:
        raise _damaged(place, f"{len(unpacker.unused_data):,} bytes after its end")
    return content


def _packed(path: Path) -> Path:
    return path.with_name(path.name + PACKED_SUFFIX)


def _damaged(place: Path, got: str) -> DataError:
    return DataError(f"{place} is damaged", details={"got": got}, hint="copy it again")
