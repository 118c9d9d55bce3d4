"""Recordings that arrive through a pipe: `-` for standard input, a named pipe, or a shell's `<(command)`."""

from __future__ import annotations

import errno
import stat
import sys
from pathlib import Path

from edge_sv.errors import DataError, reason_of
from edge_sv.system.files import read_stream

STANDARD_INPUT = "-"
LARGEST_RECORDING = 512 << 20
"""Bytes that are taken from a pipe: 46 minutes of 16-bit stereo at 48 kHz. A pipe may have no end."""


def is_pipe(path: Path) -> bool:
    """Tell whether a recording's path is no file: it can be read once, and its size is not known."""
    if str(path) == STANDARD_INPUT:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def read_pipe(path: Path) -> bytes:
    """Read a recording from a pipe to its end.

    Raises:
        DataError: nothing writes to it, it holds more than `LARGEST_RECORDING`, or it cannot be read.
    """
    name = "standard input" if str(path) == STANDARD_INPUT else str(path)
    try:
        data = _read(path)
    except OSError as error:
        raise DataError(f"cannot read {name}", details={"got": reason_of(error)}) from error
    if not data:
        raise DataError(
            f"{name} is empty",
            details={"got": "0 bytes"},
            hint="write a whole sound file to it; it can be read once",
        )
    if len(data) > LARGEST_RECORDING:
        raise DataError(
            f"{name} does not end", details={"got": f"more than {LARGEST_RECORDING:,} bytes"}, hint="give a file"
        )
    return data


def _read(path: Path) -> bytes:
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "it is closed")
        return sys.stdin.buffer.read(LARGEST_RECORDING + 1)
    return read_stream(path, LARGEST_RECORDING)
