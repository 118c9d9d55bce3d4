"""What a stage's key has of the recordings that it reads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sv.errors import DataError, reason_of
from edge_sv.scoring.speech_index import read_index
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import read_file
from edge_sv.system.stage_cache import folder_sha256


def speech_inputs(index: Path | None) -> Callable[[], Any]:
    """Return a function that describes recordings for a stage's key, and looks at them once.

    Args:
        index: table of speech files: its text, the lists beside it, each file's size and time of change. None: the
            bundled synthetic voices.
    """
    return functools.cache(lambda: folder_sha256(assets_dir() / "voices") if index is None else _describe(index))


def _describe(index: Path) -> list[object]:
    """Describe a table's speech files.

    Raises:
        DataError: the table or a file cannot be read.
    """
    try:
        stats = [file.path.stat() for file in read_index(index)]
        lists = sorted([*index.parent.glob("*/trials_dev.txt"), *index.parent.glob("*/utterances.csv")])
        texts = [read_file(path).decode(errors="backslashreplace") for path in (index, *lists)]
    except OSError as error:
        raise DataError(f"cannot read {error.filename}", details={"got": reason_of(error)}) from error
    return [texts, [(stat.st_size, stat.st_mtime_ns) for stat in stats]]
