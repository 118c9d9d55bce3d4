"""Results of build stages, kept by the sha256 of what they are made from: an unchanged stage is not run again.

A result is a folder `<work>/<stage>/<key>` that is moved into place when it is complete, so an interruption at any
moment leaves either the whole result or none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edge_sv.errors import DataError
from edge_sv.system.files import atomic_folder, sha256_bytes, sha256_file
from edge_sv.system.user_cache import user_cache_folder

Result = TypeVar("Result")


def default_work_folder() -> Path:
    """Return where finished stages are kept, see `user_cache_folder`."""
    return user_cache_folder() / "build"


class StageCache:
    """Finished stages in a work folder."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def folder(self, stage: str, inputs: Any) -> Path:
        """Return the place of a stage's result; inputs are everything that it depends on, JSON values."""
        text = json.dumps(inputs, sort_keys=True)
        return self.work / stage / sha256_bytes(text.encode())

    def run(
        self, stage: str, inputs: Any, *, make: Callable[[Path], None], read: Callable[[Path], Result]
    ) -> tuple[Result, bool]:
        """Return a stage's result and whether it was there already.

        Args:
            stage: its name.
            inputs: everything that the result depends on, JSON values.
            make: writes the result into a folder.
            read: reads it back. A kept result that it refuses with a DataError (damaged) is made again.

        Raises:
            DataError: the work folder is not writable or the disk is full.
        """
        kept = self.find(stage, inputs, read=read)
        if kept is not None:
            return kept, True
        folder = self.folder(stage, inputs)
        with atomic_folder(folder) as temporary:
            make(temporary)
        return read(folder), False

    def find(self, stage: str, inputs: Any, *, read: Callable[[Path], Result]) -> Result | None:
        """Return a stage's kept result, None when there is none or it is damaged."""
        folder = self.folder(stage, inputs)
        try:
            return read(folder) if folder.is_dir() else None
        except DataError:
            return None


def folder_sha256(folder: Path) -> str:
    """Return one SHA-256 over the names and contents of a folder's files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sha256_bytes("".join(f"{path.relative_to(folder)} {sha256_file(path)}\n" for path in files).encode())
