"""Files that are whole or not there: written beside their place and moved into it; and files read without a trap.

What is written survives a power failure from the moment that the function returns: content and folder are synchronized.
A symbolic link stays, and what it leads to is replaced; a device or a pipe never is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from edge_sv.errors import DataError, reason_of


def sha256_bytes(data: bytes) -> str:
    """Return the hexadecimal SHA-256 of data."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def path_below(folder: Path, name: str) -> Path:
    """Return the path that a list beside other files states: below its folder, absolute, or below a home with `~`."""
    return folder / expand_home(name)


def expand_home(path: str) -> str:
    """Expand `~` and `~user` at the beginning of a path; a user whom nobody knows stays as written."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        return path


LARGEST_FILE = 256 << 20
"""Bytes that a file may have, or unpack to, where nothing else is said: larger ones are read in parts or are a trap."""


def read_file(path: Path, *, limit: int = LARGEST_FILE) -> bytes:
    """Read a file whole; a pipe, which might never end, and a device are none.

    Args:
        path: the file.
        limit: bytes that it may have.

    Raises:
        OSError: it is missing, may not be read, is no file or larger.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise OSError(errno.EFBIG, f"{size:,} bytes, more than {limit:,}", str(path))
        return stream.read()


def read_text(path: Path) -> str:
    """Read a text file, UTF-8 with a byte-order mark or without, see `read_file`.

    Raises:
        OSError: see `read_file`.
        UnicodeDecodeError: it is no text.
    """
    return read_file(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def read_stream(path: Path, limit: int) -> bytes:
    """Read a file, a pipe or a device to its end, or one byte more than a limit.

    Raises:
        OSError: it is missing or may not be read.
    """
    handle = _open_to_read(path)
    with os.fdopen(handle, "rb", buffering=0) as stream:
        first = stream.read(min(1 << 16, limit + 1))  # None: a writer is there and has not written yet
        os.set_blocking(handle, True)
        parts, size = [first or b""], len(first or b"")
        while first != b"" and size <= limit and (part := stream.read(min(1 << 20, limit + 1 - size))):
            parts.append(part)
            size += len(part)
    return b"".join(parts)


def open_file(path: Path) -> BinaryIO:
    """Open a file to read it, see `read_file`; opening a pipe would wait for somebody who writes.

    Raises:
        OSError: it is missing, may not be read, or is no file.
    """
    handle = _open_to_read(path)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise _not_a_file(path, mode)
    return os.fdopen(handle, "rb")


def _open_to_read(path: Path) -> int:
    """Open without waiting: a pipe that nobody writes to is at its end, instead of waiting for a writer for ever."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "no file has such a name", str(path)) from error


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        path: where it goes; its folder is made when missing.
        data: the whole content.
        mode: permissions, in force before the first byte is written.

    Raises:
        DataError: the folder is not writable, the disk is full, or there is a device, pipe or folder; what was there
            is untouched.
    """
    temporary: str | None = None
    try:
        place = _real(path)
        _check_replaceable(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, place)
        _synchronize(place.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


@contextmanager
def atomic_folder(path: Path, *, own: Collection[str] | None = None) -> Iterator[Path]:
    """Yield a temporary sibling folder that becomes `path` when the block ends well, and is removed when it does not.

    An existing folder is replaced; what lies in it beside `own` goes into the new one. A kill at the moment of
    replacing leaves it, or what was not moved yet, beside its place, as `.NAME.old.*/NAME`.

    Args:
        path: the folder.
        own: files that belong to what is replaced, paths below the folder; None: all of them.

    Raises:
        DataError: the place is not writable or taken by a file, the disk is full, or a new file would take the place of
            one that is not among `own`; an old folder is untouched.
    """
    try:
        place = _real(path)
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "there is a file of this name", str(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o755)
        for each in (*temporary.rglob("*"), temporary):
            _synchronize(each)
        _replace_folder(temporary, place, own)
    except OSError as error:
        if error.filename is not None and not _is_below(error.filename, temporary, path, place):
            raise  # the block failed to read something else
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_folder(path: Path, files: Mapping[str, bytes], *, own: Collection[str] | None = None) -> None:
    """Write a folder of files, path below it -> content; see `atomic_folder` for an existing one.

    Raises:
        DataError: the place is not writable or taken by a file, the disk is full, or a new file would take the place of
            one that is not among `own`.
    """
    with atomic_folder(path, own=own) as temporary:
        for name, data in files.items():
            place = temporary / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def _replace_folder(new: Path, path: Path, own: Collection[str] | None) -> None:
    if not path.exists():
        new.rename(path)
        _synchronize(path.parent)
        return
    kept = [] if own is None else _others(path, frozenset(own))
    for name in kept:
        if os.path.lexists(new / name):
            raise _in_the_way(path / name)
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.rename(old / path.name)
    try:
        new.rename(path)
    except OSError:
        (old / path.name).rename(path)
        raise
    for name in kept:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (old / path.name / name).rename(path / name)
    shutil.rmtree(old, ignore_errors=True)
    _synchronize(path.parent)


def _others(folder: Path, own: Collection[str]) -> list[str]:
    """List what is not among `own`: whole folders in which there is nothing of it, else files; paths below the folder.

    Links are not followed.
    """
    parents = {str(parent) for name in own for parent in PurePosixPath(name).parents}
    found = []
    waiting = [folder]
    while waiting:
        for each in sorted(waiting.pop().iterdir()):
            name = each.relative_to(folder).as_posix()
            if name in parents and each.is_dir() and not each.is_symlink():
                waiting.append(each)
            elif name not in own:
                found.append(name)
    return found


def _check_replaceable(place: Path) -> None:
    """Let only a file be replaced: who may write to the folder of a device could lose it for the whole system."""
    with suppress(FileNotFoundError):
        mode = place.stat().st_mode
        if not stat.S_ISREG(mode):
            raise _not_a_file(place, mode)


def _not_a_file(path: Path, mode: int) -> OSError:
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
    return OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def _real(path: Path) -> Path:
    """Return where a path leads, through symbolic links."""
    return Path(os.path.realpath(path))


def _synchronize(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    with suppress(OSError):  # not every file system can
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _in_the_way(path: Path) -> DataError:
    return DataError(
        f"{path} is in the way",
        details={"got": "a file that is not of what is replaced"},
        hint="move it elsewhere, or choose another folder",
    )


def _is_below(name: str, *folders: Path) -> bool:
    return any(Path(name).is_relative_to(folder) for folder in folders)


def _cannot_write(path: Path, error: OSError) -> DataError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "free some space, or choose another place" if full else "check the permissions, or choose another place"
    return DataError(f"cannot write {path}", details={"got": reason_of(error)}, hint=hint)
