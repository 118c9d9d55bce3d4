"""A voice print: the value, its bytes and its file.

A print is biometric data: its embedding is in no message, log or `repr`, its file is for its owner alone, and
`wipe_print` destroys it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_sv.errors import DataError, reason_of
from edge_sv.system.array_types import Float32
from edge_sv.system.files import open_file, read_file, write_atomic

MAGIC = b"ESVPRINT"
VERSION = 1
_HEADER = struct.Struct("<8sHHI32sI")
_CRC = struct.Struct("<I")
_MAX_NAME_BYTES = 255
LARGEST_FILE = 1 << 20
"""Bytes of a print's file; those of the largest net take some thousands."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class VoicePrint:
    """The voice of one speaker, as one net hears it.

    Args:
        embedding: (embedding_dim,) float32, the mean of the recordings' length-normalized embeddings (not itself
            normalized: its length says how well the recordings agree, and a later mean can go on from it).
        model_sha256: hexadecimal SHA-256 of the model that computed it; no other model can use it.
        recordings: how many recordings the mean is over.
        name: whose voice it is, if that is to be written down.

    Raises:
        DataError: values that no enrollment gives.
    """

    embedding: Float32 = field(repr=False)
    model_sha256: str
    recordings: int
    name: str = ""

    def __post_init__(self) -> None:
        embedding = np.array(self.embedding, np.float32)
        embedding.flags.writeable = False
        object.__setattr__(self, "embedding", embedding)
        name = self.name.encode(errors="replace")
        problems = {
            "its embedding must be a vector": embedding.ndim != 1 or embedding.size == 0,
            "its embedding must be finite and not zero": not np.isfinite(embedding).all() or not embedding.any(),
            "model_sha256 must be 64 lower-case hexadecimal digits": len(self.model_sha256) != 64
            or not set(self.model_sha256) <= set("0123456789abcdef"),
            "it must be the mean of 1 to 2^32 - 1 recordings": not 1 <= self.recordings < 2**32,
            f"its name must not be longer than {_MAX_NAME_BYTES} bytes": len(name) > _MAX_NAME_BYTES,
            "its name must be text in UTF-8": name.decode() != self.name,
        }
        for text, wrong in problems.items():
            if wrong:
                raise DataError(f"impossible voice print: {text}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoicePrint) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Write the print; the same print always gives the same bytes.

        ======  ======  ==================================================================================
        offset  bytes   little-endian
        ======  ======  ==================================================================================
        0       8       magic, ``ESVPRINT``
        8       2       version, 1
        10      2       N, bytes of the name
        12      4       recordings in the mean
        16      32      SHA-256 of the model
        48      4       D, numbers in the embedding
        52      4 D     embedding, IEEE 754 float32
        52+4D   N       name, UTF-8
        end-4   4       CRC-32 (IEEE 802.3, as in zlib) of all bytes before it; so in every version to come
        ======  ======  ==================================================================================

        A CRC-32 notices every change within four neighbouring bytes, and a device computes it with 16 words of table.
        It guards against damage, not against forgery: who can write the file can write another voice.
        """
        name = self.name.encode()
        header = _HEADER.pack(
            MAGIC, VERSION, len(name), self.recordings, bytes.fromhex(self.model_sha256), len(self.embedding)
        )
        body = header + self.embedding.astype("<f4").tobytes() + name
        return body + _CRC.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "the voice print") -> VoicePrint:
        """Read what `to_bytes` wrote; `source` names it in errors.

        Raises:
            DataError: it is not a print, was cut short, is damaged, or was written by a newer edge-sv.
        """
        _check_frame(data, source)
        _, _, name_bytes, recordings, sha256, dim = _HEADER.unpack_from(data)
        name_start = _HEADER.size + 4 * dim
        if len(data) != name_start + name_bytes + _CRC.size:
            raise _damaged(source, "its lengths do not add up")
        try:
            name = data[name_start:-4].decode()
        except UnicodeDecodeError as error:
            raise _damaged(source, "its name is not UTF-8") from error
        embedding = np.frombuffer(data, "<f4", dim, _HEADER.size)
        try:
            return cls(embedding=embedding, model_sha256=sha256.hex(), recordings=recordings, name=name)
        except DataError as error:
            raise _damaged(source, error.message) from error


def _check_frame(data: bytes, source: str) -> None:
    """Check magic, length, checksum and version, in the order that gives the truest reason."""
    if not data:
        raise _damaged(source, "the file is empty")
    if not data.startswith(MAGIC[: len(data)]):
        raise DataError(f"{source} is not a voice print", hint="give a file that `edge-sv enroll` wrote")
    expected = _HEADER.size + _CRC.size
    if len(data) >= _HEADER.size:
        _, _, name_bytes, _, _, dim = _HEADER.unpack_from(data)
        expected += 4 * dim + name_bytes
    intact = len(data) >= _HEADER.size + _CRC.size and _CRC.unpack(data[-4:])[0] == zlib.crc32(data[:-4])
    if not intact and len(data) < expected:
        raise _damaged(source, f"it was cut short: {len(data)} bytes of {expected} or more")
    if not intact:
        raise _damaged(source, "its checksum does not match")
    version = int.from_bytes(data[8:10], "little")
    if version > VERSION:
        raise DataError(
            f"{source} has format version {version}; this edge-sv reads up to {VERSION}",
            hint="update edge-sv, or enroll again",
        )
    if version < 1:
        raise _damaged(source, f"there is no format version {version}")


def _damaged(source: str, reason: str) -> DataError:
    return DataError(f"{source} is damaged", details={"got": reason}, hint="enroll again, or restore a copy")


def save_print(path: Path, voice_print: VoicePrint) -> None:
    """Write a print for its owner alone (mode 0600), atomically: an interruption leaves the old file intact.

    Warns, in the log, when anyone may replace files in the folder, because then anyone may put their own voice there.

    Raises:
        DataError: the place cannot be written.
    """
    write_atomic(path, voice_print.to_bytes(), mode=0o600)
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        _log.warning("anyone on this machine may replace %s: its folder is writable by all", path)


@contextmanager
def locked_print(path: Path) -> Iterator[None]:
    """Let no other process that asks for this lock read or write a print's place before the block ends.

    The lock is one on the folder, so that nothing of it is left behind; where a file system has none, none holds.

    Raises:
        DataError: the folder cannot be made or opened.
    """
    folder = Path(os.path.realpath(path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DataError(f"cannot write {path}", details={"got": reason_of(error)}) from error
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def load_print(path: Path) -> VoicePrint:
    """Read a print.

    Warns, in the log, when others can read or replace it. It is not refused: file systems without owners (FAT cards,
    some network mounts) could not hold prints otherwise.

    Raises:
        DataError: it cannot be read or used; the message says why.
    """
    try:
        data = read_file(path, limit=LARGEST_FILE)
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError as error:
        raise DataError(f"there is no voice print {path}", hint=f"edge-sv enroll {path} A.wav B.wav C.wav") from error
    except OSError as error:
        raise DataError(f"cannot read voice print {path}", details={"got": reason_of(error)}) from error
    voice_print = VoicePrint.from_bytes(data, source=f"voice print {path}")
    if mode & 0o077:
        _log.warning("voice print %s is open to other users (mode %04o): chmod 600 %s", path, mode, path)
    return voice_print


def is_print(path: Path) -> bool:
    """Tell whether a file begins as voice prints do, whole or damaged.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open_file(path) as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error


def wipe_print(path: Path) -> None:
    """Overwrite a print with zeros on the disk, then remove it; behind a symbolic link both, print and link.

    The overwriting reaches the bytes of this file; copies that a journal, a snapshot, a backup or a flash drive's wear
    levelling keeps are beyond a program's reach.

    Raises:
        DataError: there is no such file, or it cannot be written.
    """
    place = Path(os.path.realpath(path))
    try:
        with open_file(place), place.open("r+b", buffering=0) as stream:
            stream.write(bytes(os.fstat(stream.fileno()).st_size))
            os.fsync(stream.fileno())
        place.unlink()
        if path.is_symlink():
            path.unlink()
    except OSError as error:
        raise DataError(f"cannot wipe voice print {path}", details={"got": reason_of(error)}) from error
