"""What is written down about recordings: the table of speech files, joined with each corpus's own `metadata.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_sv.errors import DataError, reason_of
from edge_sv.scoring.speech_index import COLUMNS
from edge_sv.system.files import path_below
from edge_sv.system.tables import read_table

METADATA_FILE = "metadata.csv"


@dataclass(frozen=True)
class DescribedRecording:
    """One recording.

    Args:
        path: its file.
        speaker: unique over corpora, `corpus/speaker`.
        corpus: the collection it is from.
        split: `train`, `dev` or `test`.
        facts: column -> value, of both tables; empty values are left out. Where both tell, the table of speech files
            counts.
    """

    path: Path
    speaker: str
    corpus: str
    split: str
    facts: Mapping[str, str]


def describe_recordings(index: Path, *, splits: Iterable[str]) -> list[DescribedRecording]:
    """Read what is known about the recordings of a table.

    Args:
        index: the table of speech files; `<corpus>/metadata.csv` beside it may know more, by the column `path` below
            that folder.
        splits: which recordings are wanted.

    Raises:
        DataError: a table cannot be read, lacks a column, or has no recording of those splits.
    """
    wanted = frozenset(splits)
    rows = [row for row in _read_table(index, COLUMNS) if row["split"] in wanted]
    if not rows:
        raise DataError(f"{index} has no recordings of split {' or '.join(sorted(wanted))}")
    known = {corpus: _read_metadata(index.parent / corpus) for corpus in {row["corpus"] for row in rows}}
    return [_describe(row, index.parent, known[row["corpus"]]) for row in rows]


def _describe(row: dict[str, str], folder: Path, metadata: Mapping[str, dict[str, str]]) -> DescribedRecording:
    more = metadata.get(row["path"].removeprefix(f"{row['corpus']}/"), {})
    facts = {**_told(more), **_told(row)}
    corpus = row["corpus"]
    return DescribedRecording(
        path_below(folder, row["path"]), f"{corpus}/{row['speaker']}", corpus, row["split"], facts
    )


def _told(row: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if value}


def _read_metadata(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / METADATA_FILE
    return {row["path"]: row for row in _read_table(path, ("path",))} if path.is_file() else {}


def _read_table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        table = read_table(path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table", details={"got": str(error)}) from error
    if missing := table.lacks(columns):
        raise DataError(f"{path} lacks columns: {', '.join(missing)}", details={"needed": ", ".join(columns)})
    return [{name: cell or "" for name, cell in row.items() if name is not None} for _, row in table.rows]
