"""Training corpora in: an index.csv, VoxCeleb's `id/video/utt` folders, or plain `speaker/*.wav` folders."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from edge_sv.errors import DataError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".m4a", ".mp3")


@dataclass(frozen=True)
class Utterance:
    """One training recording: its file, who speaks, and the corpus it counts to."""

    path: Path
    speaker: str
    corpus: str


def read_corpus(source: Path, *, split: str = "train") -> tuple[Utterance, ...]:
    """List the recordings of a corpus, sorted by path.

    Args:
        source: a csv with the columns `path` (below the csv's folder) and `speaker`, and optionally `corpus` and
            `split`; or a folder whose first level is the speaker (`speaker/a.wav`, `id10001/video/00001.wav`).
        split: rows to take where the csv has a split column.

    Raises:
        DataError: nothing there, columns missing, or fewer than two speakers.
    """
    if source.is_dir() and (source / "index.csv").is_file():
        source = source / "index.csv"
    if source.is_dir():
        utterances = _read_folders(source)
    elif source.is_file():
        utterances = _read_csv(source, split)
    else:
        raise DataError(f"no training data at {source}", hint="give an index.csv or a folder of speakers")
    speakers = {u.speaker for u in utterances}
    if len(speakers) < 2:
        raise DataError(
            f"{source} holds {len(utterances)} recordings of {len(speakers)} speakers; training needs at least two",
            hint=f"a csv needs rows with split = {split}; a folder needs speaker/recording.wav",
        )
    return tuple(sorted(utterances, key=lambda u: str(u.path)))


def _read_csv(path: Path, split: str) -> list[Utterance]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = {"path", "speaker"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{path} lacks the columns {', '.join(sorted(missing))}")
            return [
                Utterance(path.parent / row["path"], row["speaker"], row.get("corpus") or path.parent.name)
                for row in reader
                if row.get("split", split) == split
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}", details={"got": str(error)}) from error


def _read_folders(root: Path) -> list[Utterance]:
    files = (path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    return [
        Utterance(path, path.relative_to(root).parts[0], root.name)
        for path in files
        if len(path.relative_to(root).parts) > 1
    ]
