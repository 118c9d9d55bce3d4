"""Run what may be hostile in a process that can do little: no network, few files, bounded memory and time.

A process confines itself by `confine` before it touches what it does not trust, and cannot take it back; so do all that
it starts. Limits of resources hold on every POSIX system. On Linux a network namespace of its own, where the system
lets users make one, has no way out; Landlock (Linux 5.13 and later) refuses files outside of the given folders, TCP
connections and signals to other processes; and the process can end with what started it. Where a kernel lacks one of
these, the others hold; `is_strict` tells.

This module needs the standard library alone: it starts in processes that see nothing else.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

SYSTEM_FOLDERS = ("/bin", "/etc/ld.so.cache", "/lib", "/lib64", "/nix/store", "/usr", "/dev/null", "/dev/urandom")
"""What programs of the system read when they start."""

_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ = 0b1101  # execute, read a file, list a folder
_FILE_RIGHTS = 0b0111  # those of a rule for a file: execute, write, read
_CHANGE_TRUNCATE = 1 << 14
# By version of Landlock: which file operations, TCP operations and scopes it can refuse.
_HANDLED = {1: ((1 << 13) - 1, 0, 0), 2: ((1 << 14) - 1, 0, 0), 3: ((1 << 15) - 1, 0, 0), 4: ((1 << 15) - 1, 3, 0)}
_HANDLED_SINCE_6 = ((1 << 15) - 1, 3, 3)


@dataclass(frozen=True)
class Limits:
    """What a confined process may use.

    Args:
        memory_bytes: of its address space.
        file_bytes: that any file may grow to.
        read: files and folders that it may read, beside what it has open.
        write: folders in which it may also write.
        with_starter: whether it ends, on Linux, when the thread that started it does.
    """

    memory_bytes: int
    file_bytes: int = 0
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    with_starter: bool = True


def confine(limits: Limits) -> None:
    """Confine this process and all that it starts, for good. Call it before there is a second thread."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    with suppress(AttributeError):  # a C library without it
        libc.unshare(_NEW_USER | _NEW_NETWORK | _NEW_IPC)
    if limits.with_starter:
        libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _refuse_files(libc, limits)


def is_strict() -> bool:
    """Tell whether the kernel can refuse files to a confined process."""
    return sys.platform.startswith("linux") and _landlock_version(ctypes.CDLL(None, use_errno=True)) > 0


def clean_environment(home: Path | str) -> dict[str, str]:
    """Return the variables that a confined process starts with: nothing of the user's but where libraries lie."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def isolated_python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module's `main` on the standard library and this package alone."""
    root = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path[:0] = [{root!r}]; from {module} import main; main()"
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


def confined_command(command: Sequence[str], limits: Limits) -> list[str]:
    """Return the command that confines itself and becomes another one, whose program is named by its path."""
    return isolated_python("edge_sv.system.sandbox", json.dumps(asdict(limits)), *command)


def main() -> None:
    """Confine this process as the first argument says, and become the program that follows."""
    limits: Mapping[str, object] = json.loads(sys.argv[1])
    confine(Limits(**{name: tuple(v) if isinstance(v, list) else v for name, v in limits.items()}))  # type: ignore[arg-type]
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a program would inherit that
        signal.signal(number, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])


def _limit(kind: int, value: int) -> None:
    """Lower a limit; a lower one that holds already stays."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(ValueError, OSError):  # macOS knows some limits and does not set them
        resource.setrlimit(kind, (value, value))


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _landlock_version(libc: ctypes.CDLL) -> int:
    return int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def _refuse_files(libc: ctypes.CDLL, limits: Limits) -> None:
    version = _landlock_version(libc)
    if version < 1:
        return
    handled = _Ruleset(*_HANDLED.get(version, _HANDLED[4] if version == 5 else _HANDLED_SINCE_6))
    size = ctypes.sizeof(handled) if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(size), 0)
    _allow(libc, ruleset, limits.read, handled.files & _READ)
    _allow(libc, ruleset, limits.write, handled.files)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what is not there need not be allowed
        allowed = rights if os.path.isdir(path) else rights & (_FILE_RIGHTS | _CHANGE_TRUNCATE)  # noqa: PTH112
        rule = _PathBeneath(allowed, place)
        libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
        os.close(place)
