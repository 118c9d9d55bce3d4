"""A table of speech files with their speakers and splits, and what conversion takes from it.

The table is a CSV with the columns `path` (below the table's folder), `speaker`, `corpus` and `split`. A corpus that
has a development list keeps it in `<corpus>/trials_dev.txt`, with `<corpus>/utterances.csv` where an id joins files.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sv.audio.recording import join, read_recording
from edge_sv.errors import DataError, reason_of
from edge_sv.scoring.trials import Trial, TrialList, find_recordings, read_trials
from edge_sv.system.array_types import Int16
from edge_sv.system.files import path_below
from edge_sv.system.tables import Row, read_table

COLUMNS = ("path", "speaker", "corpus", "split")


@dataclass(frozen=True)
class SpeechFile:
    """One row: `path` is the file's place, `speaker` is unique over corpora."""

    path: Path
    speaker: str
    corpus: str
    split: str


@dataclass(frozen=True)
class DevelopmentList:
    """The development lists of all corpora as one; `files` leads from an id, `corpus/id`, to its files."""

    trials: TrialList
    files: dict[str, tuple[Path, ...]]


def read_index(path: Path) -> list[SpeechFile]:
    """Read a table of speech files.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    try:
        table = read_table(path)
    except OSError as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table", details={"got": str(error)}) from error
    if missing := table.lacks(COLUMNS):
        raise DataError(f"{path} lacks columns: {', '.join(missing)}", details={"needed": ", ".join(COLUMNS)})
    rows = [_file(path, line, row) for line, row in table.rows]
    if not any(row.split == "train" for row in rows):
        raise DataError(f"{path} has no training files", details={"needed": "rows with split = train"})
    return rows


def _file(table: Path, line: int, row: Row) -> SpeechFile:
    path, speaker, corpus, split = (row[name] for name in COLUMNS)
    if path is None or speaker is None or corpus is None or split is None:
        raise DataError(f"{table}, line {line}: fields are missing", details={"needed": ", ".join(COLUMNS)})
    return SpeechFile(path_below(table.parent, path), f"{corpus}/{speaker}", corpus, split)


def training_speakers(files: list[SpeechFile]) -> dict[str, list[Path]]:
    """Group the training files by speaker, both in order."""
    speakers: dict[str, list[Path]] = {}
    for file in sorted((f for f in files if f.split == "train"), key=lambda f: (f.speaker, f.path)):
        speakers.setdefault(file.speaker, []).append(file.path)
    return speakers


def sample_speech(
    files: list[SpeechFile], *, count: int, min_samples: int, sample_rate: int = 16000, seed: int = 0
) -> list[Int16]:
    """Draw recordings of training speakers, each speaker once before any comes again.

    Files shorter than min_samples are joined with others of the same speaker.

    Args:
        files: the table.
        count: recordings to draw.
        min_samples: least length of each.
        sample_rate: Hz.
        seed: of the drawing.

    Returns:
        (num_samples,) int16 each; a speaker with less speech than min_samples in all is passed over.
    """
    rng = np.random.default_rng(seed)
    speakers = training_speakers(files)
    drawn: list[Int16] = []
    names: list[str] = []
    for _ in range(2 * count):
        names = names or list(rng.permutation(sorted(speakers)))
        paths = speakers[names.pop()]
        parts: list[Int16] = []
        for path in rng.permutation(np.array(paths, object)):
            parts.append(read_recording(path, sample_rate=sample_rate))
            if sum(map(len, parts)) >= min_samples:
                drawn.append(join(parts))
                break
        if len(drawn) == count:
            break
    return drawn


def development_list(index: Path, files: list[SpeechFile]) -> DevelopmentList | None:
    """Pool the development lists beside a table; None when there is none.

    Raises:
        DataError: a list cannot be used.
    """
    trials: list[Trial] = []
    recordings: dict[str, tuple[Path, ...]] = {}
    for corpus in sorted({file.corpus for file in files}):
        folder = index.parent / corpus
        if not (folder / "trials_dev.txt").is_file():
            continue
        listed = read_trials(folder / "trials_dev.txt")
        utterances = folder / "utterances.csv"
        found = find_recordings(listed, folder, utterances=utterances if utterances.is_file() else None)
        trials += [Trial(t.label, f"{corpus}/{t.enroll}", f"{corpus}/{t.test}") for t in listed]
        recordings |= {f"{corpus}/{name}": paths for name, paths in found.files.items()}
    return DevelopmentList(TrialList(tuple(trials)), recordings) if trials else None
