"""Trial lists: which two recordings are compared, and whether one speaker made both."""

from __future__ import annotations

import csv
import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.system.files import LARGEST_FILE, path_below, read_stream
from edge_sv.system.tables import Row, parse_table

NAMED = 3
"""How many offenders an error names before it only counts them."""


LABELS = {"1": True, "0": False, "target": True, "nontarget": False}
"""How lists say that one speaker made both recordings, or not."""


@dataclass(frozen=True)
class Trial:
    """One comparison: `label` is True for a target trial (same speaker); `enroll` and `test` are recording ids."""

    label: bool
    enroll: str
    test: str


@dataclass(frozen=True)
class TrialList:
    """Trials in the order of their file, at least one target and one non-target among them."""

    trials: tuple[Trial, ...]

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    @property
    def labels(self) -> npt.NDArray[np.bool_]:
        """Return (num_trials,) bool: True for target trials."""
        return np.array([trial.label for trial in self.trials], np.bool_)

    @property
    def recordings(self) -> tuple[str, ...]:
        """Return every recording id once, in the order of first use."""
        return tuple(dict.fromkeys(name for trial in self.trials for name in (trial.enroll, trial.test)))

    def to_text(self) -> str:
        """Write the list in the format that `read_trials` reads."""
        return "".join(f"{int(trial.label)} {trial.enroll} {trial.test}\n" for trial in self.trials)


def read_trials(path: Path) -> TrialList:
    """Read a list of trials, one a line; empty lines are skipped.

    A line is `label enroll test`, as VoxCeleb's lists have it, or `enroll test label`, as Kaldi's do; all lines of a
    list are alike. The label is one of `LABELS`.

    Raises:
        DataError: no such file, not text, a wrong line (named by its number), or a list without target or without
            non-target trials.
    """
    trials: list[Trial] = []
    place: int | None = None
    for number, line in enumerate(_read_text(path, "trial list").splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3:
            raise _wrong_line(path, number, line, f"expected 3 fields (label enroll test), got {len(fields)}")
        if place is None:
            place = -1 if fields[0] not in LABELS and fields[-1] in LABELS else 0
        label = fields.pop(place)
        if label not in LABELS:
            raise _wrong_line(path, number, line, f"label must be 1 (same speaker) or 0, got '{label}'")
        trials.append(Trial(LABELS[label], *fields))
    targets = sum(trial.label for trial in trials)
    if not trials:
        raise DataError(f"trial list {path} is empty", hint="write one 'label enroll test' a line")
    if targets in (0, len(trials)):
        missing = "target (label 1)" if targets == 0 else "non-target (label 0)"
        raise DataError(
            f"trial list {path} has no {missing} trial", details={"got": f"{len(trials)} trials, {targets} targets"}
        )
    return TrialList(tuple(trials))


def read_utterances(path: Path) -> dict[str, tuple[str, ...]]:
    """Read which files make each utterance: columns `utt_id` and `files` (separated by `|`, joined in this order).

    Returns:
        utt_id -> file names as written.

    Raises:
        DataError: no such file, a missing column, an utterance without files or listed twice.
    """
    utterances: dict[str, tuple[str, ...]] = {}
    for number, row in _read_rows(path, ("utt_id", "files")):
        name, files = row["utt_id"], tuple(part for each in row["files"].split("|") if (part := each.strip()))
        if not name or not files:
            raise DataError(f"{path}, line {number}: utterance '{name}' lists no files")
        if name in utterances:
            raise DataError(f"{path}, line {number}: utterance '{name}' is listed twice")
        utterances[name] = files
    if not utterances:
        raise DataError(f"{path} lists no utterance")
    return utterances


def read_speakers(path: Path) -> dict[str, str]:
    """Read utt_id -> speaker from an utterances file; empty when it has no `speaker` column."""
    rows = (row for _, row in _read_rows(path, ("utt_id",)))
    return {row["utt_id"]: row["speaker"] for row in rows if row.get("speaker")}


@dataclass(frozen=True)
class Recordings:
    """Where the ids of a trial list lead.

    Args:
        files: id -> the files that are joined to make the recording.
        speakers: id -> speaker.
    """

    files: Mapping[str, tuple[Path, ...]]
    speakers: Mapping[str, str]


def find_recordings(trials: TrialList, audio: Path, *, utterances: Path | None = None) -> Recordings:
    """Find the files and the speaker of every recording of a trial list.

    An id that `utterances` lists stands for its files, which are looked for below that file's folder and then below
    `audio`; any other id is a path below `audio`. The speaker comes from the utterances file's `speaker` column,
    else it is the id's first path component (`id10270/video/00001.wav` -> `id10270`).

    Raises:
        DataError: files are missing; names the first few and counts them all.
    """
    joined = read_utterances(utterances) if utterances else {}
    speakers = read_speakers(utterances) if utterances else {}
    folders = (utterances.parent, audio) if utterances else (audio,)
    files: dict[str, tuple[Path, ...]] = {}
    missing: list[Path] = []
    for name in trials.recordings:
        found = [_locate(part, folders if name in joined else (audio,)) for part in joined.get(name, (name,))]
        missing += [path for path in found if not path.is_file()]
        files[name] = tuple(found)
    if missing:
        raise _missing_files(missing, len(files), audio, utterances)
    return Recordings(files, {name: speakers.get(name) or _first_component(name) for name in files})


def _locate(name: str, folders: tuple[Path, ...]) -> Path:
    candidates = [path_below(folder, name) for folder in folders]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _first_component(name: str) -> str:
    return next(part for part in name.split("/") if part not in ("", "."))


def _missing_files(missing: list[Path], total: int, audio: Path, utterances: Path | None) -> DataError:
    named = ", ".join(str(path) for path in missing[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    hint = "give the folder that the list's paths start from as --audio"
    if utterances is None:
        hint += ", or --utterances when the ids are utterance ids"
    return DataError(
        f"{len(missing)} files of the trial list are missing (it uses {total} recordings)",
        details={"missing": named + more, "audio": str(audio)},
        hint=hint,
    )


def _read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    try:
        table = parse_table(_read_text(path, "utterances file"))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV table", details={"got": str(error)}) from error
    if absent := table.lacks(columns):
        raise DataError(
            f"{path} has no column '{absent[0]}'", details={"got": ", ".join(table.columns) or "an empty file"}
        )
    for line, row in table.rows:
        if None in row or None in row.values():
            raise DataError(f"{path}, line {line}: expected {len(table.columns)} fields")
        yield line, row


def _read_text(path: Path, what: str) -> str:
    try:
        data = read_stream(path, LARGEST_FILE)
        if len(data) > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"more than {LARGEST_FILE:,} bytes")
        if b"\0" in data:
            raise ValueError("it holds zeros")
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise DataError(f"cannot read {what} {path}", details={"got": reason or str(error)}) from error


def _wrong_line(path: Path, number: int, line: str, problem: str) -> DataError:
    return DataError(f"{path}, line {number}: {problem}", details={"line": line.strip()[:120]})
