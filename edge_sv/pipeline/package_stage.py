"""The last stage of every build: a package made, or taken from an earlier build, and placed where it is wanted."""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from edge_sv.errors import UsageError
from edge_sv.package import DevicePackage, read_package
from edge_sv.package.manifest import MANIFEST_FILE
from edge_sv.system.files import atomic_folder, sha256_file
from edge_sv.system.stage_cache import StageCache, folder_sha256

Value = TypeVar("Value")


@dataclass(frozen=True)
class Staged(Generic[Value]):
    """What a stage gives: its value, whether it was there already, and a note for people."""

    value: Value
    kept: bool
    note: str


@dataclass(frozen=True)
class Limits:
    """Bytes that the caller allows; the target's own limits hold as well."""

    flash: int | None = None
    ram: int | None = None


NO_LIMITS = Limits()


def sources_sha256(converter: object) -> str:
    """Identify a converter's code: all of the package that it is in, or the one file."""
    path = Path(inspect.getfile(sys.modules[type(converter).__module__.split(".")[0]]))
    return folder_sha256(path.parent) if path.name == "__init__.py" else sha256_file(path)


def refuse_foreign_folder(out: Path) -> None:
    """Refuse to replace what is not a package.

    Raises:
        UsageError: `out` is a file, or a folder with other things in it.
    """
    if not out.exists() or (out / MANIFEST_FILE).is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise UsageError(f"{out} exists and is not a package", hint="give --out a new or empty folder")


def make_package(cache: StageCache, inputs: Any, out: Path, *, make: Callable[[Path], None]) -> Staged[DevicePackage]:
    """Make a package, or take the one of an earlier build, and place it at `out`.

    Args:
        cache: finished stages.
        inputs: everything that the package depends on.
        out: its folder.
        make: writes it into `package` of a folder.

    Raises:
        DataError: `out` is not writable or the disk is full.
    """
    package, kept = cache.run("package", inputs, make=make, read=_read_package)
    placed = place_package(package.path, out)
    return Staged(read_package(out), kept and not placed, str(out))


def place_package(package: Path, out: Path) -> bool:
    """Copy a package to `out`; return False when it is there already.

    Raises:
        DataError: `out` is not writable or the disk is full.
    """
    if out.is_dir() and folder_sha256(out) == folder_sha256(package):
        return False
    with atomic_folder(out) as temporary:
        shutil.copytree(package, temporary, dirs_exist_ok=True)
    return True


def _read_package(folder: Path) -> DevicePackage:
    return read_package(folder / "package")
