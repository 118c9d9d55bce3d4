"""Training corpora in: an index.csv, VoxCeleb's `id/video/utt` folders, or plain `speaker/*.wav` folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_sv.errors import DataError, UsageError, reason_of
from edge_sv.system.files import path_below
from edge_sv.system.tables import UNREADABLE, read_table

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".m4a", ".mp3")


@dataclass(frozen=True)
class Utterance:
    """One training recording: its file, who speaks (unique over corpora), and the corpus it counts to."""

    path: Path
    speaker: str
    corpus: str


@dataclass(frozen=True)
class NoiseFiles:
    """Recordings of noise and of rooms' impulse responses, for degraded copies."""

    noises: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()


def read_corpus(source: Path, *, split: str = "train") -> tuple[Utterance, ...]:
    """List the recordings of a corpus, sorted by path.

    Args:
        source: a csv with the columns `path` (below the csv's folder) and `speaker`, and optionally `corpus` and
            `split`; or a folder whose first level is the speaker (`speaker/a.wav`, `id10001/video/00001.wav`).
        split: rows to take where the csv has a split column.

    Raises:
        DataError: nothing there, columns or files missing, or fewer than two speakers.
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


def read_noise(folder: Path) -> NoiseFiles:
    """List the recordings below a folder: those whose names begin with `rir` are rooms' responses, the others noise.

    Raises:
        UsageError: there are none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not files:
        raise UsageError(f"no noise in {folder}", hint="[augment] noise names a folder of recordings below the data")
    rooms = tuple(path for path in files if path.name.startswith("rir"))
    return NoiseFiles(tuple(path for path in files if path not in rooms), rooms)


def file_sizes(paths: Iterable[Path]) -> list[tuple[str, int]]:
    """Return every file's path and its bytes, by which caches tell whether they still hold.

    Raises:
        DataError: a file is missing.
    """
    try:
        return [(str(path), path.stat().st_size) for path in paths]
    except OSError as error:
        raise DataError(f"cannot read {error.filename}", details={"got": reason_of(error)}) from error


def _read_csv(path: Path, split: str) -> list[Utterance]:
    utterances = []
    try:
        table = read_table(path)
    except UNREADABLE as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    if missing := table.lacks(("path", "speaker")):
        raise DataError(f"{path} lacks the columns {', '.join(missing)}")
    for line, row in table.rows:
        if not row["path"] or not row["speaker"]:
            raise DataError(f"{path}, line {line}: a path or a speaker is missing")
        if row.get("split", split) == split:
            corpus = row.get("corpus") or path.parent.name
            utterances.append(Utterance(path_below(path.parent, row["path"]), row["speaker"], corpus))
    absent = [u.path for u in utterances if not u.path.is_file()]
    if absent:
        raise DataError(
            f"{len(absent)} of the {len(utterances)} recordings that {path} lists are not there",
            details={"first": str(absent[0])},
            hint="its paths start from the folder it is in",
        )
    return utterances


def _read_folders(root: Path) -> list[Utterance]:
    files = (path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    return [
        Utterance(path, path.relative_to(root).parts[0], root.name)
        for path in files
        if len(path.relative_to(root).parts) > 1
    ]
