"""Trials within a language and across languages: what a change of language costs, in float and compressed.

A list is divided by the languages of its two recordings. Each part has its own EER; and because a device has one
threshold for everybody, each part also has its error rates at the threshold of the whole list: where speakers change
their language between enrollment and test, target scores fall, and that threshold rejects more of them.

Source of the question: arXiv 2210.17326, which measures quantized nets under language mismatch. The common threshold
and the intervals are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.analysis.compared_models import ComparedModel, float_of
from edge_sv.errors import DataError, UsageError, reason_of
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import embed_recordings, score_list
from edge_sv.scoring import metrics
from edge_sv.scoring.trials import Recordings, TrialList, find_recordings, read_trials
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Steps
from edge_sv.system.tables import UNREADABLE, read_table

LIST_FILE, UTTERANCES_FILE, METADATA_FILE = "trials_test.txt", "utterances.csv", "metadata.csv"

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class LanguageErrors:
    """One model's errors on one part of a list. Rates are fractions.

    Args:
        model: its label.
        eer: equal error rate of the part.
        eer_ci: its 95 % bootstrap interval over speakers.
        change: EER less the float net's; None for a float net.
        change_ci: its interval, both models on the same draws of speakers.
        false_accept_rate: at the model's EER threshold on the whole list.
        false_reject_rate: at the same threshold.
    """

    model: str
    eer: float
    eer_ci: tuple[float, float]
    change: float | None
    change_ci: tuple[float, float] | None
    false_accept_rate: float
    false_reject_rate: float


@dataclass(frozen=True)
class LanguagePair:
    """One part of a list.

    Args:
        enroll: language of the enrollment recordings.
        test: language of the test recordings.
        trials: how many.
        targets: how many of them are target trials.
        speakers: how many.
        errors: one for each model.
    """

    enroll: str
    test: str
    trials: int
    targets: int
    speakers: int
    errors: tuple[LanguageErrors, ...]

    @property
    def name(self) -> str:
        """Name it: `zh-en`, enrollment first."""
        return f"{self.enroll}-{self.test}"


@dataclass(frozen=True)
class LanguageReport:
    """A list, divided by language.

    Args:
        source: the list.
        pairs: parts within one language first.
        skipped: pair -> why it cannot be judged.
    """

    source: str
    pairs: tuple[LanguagePair, ...]
    skipped: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        pairs = [{"name": p.name, **asdict(p), "errors": [asdict(e) for e in p.errors]} for p in self.pairs]
        return {"source": self.source, "pairs": pairs, "skipped": self.skipped}


@dataclass(frozen=True)
class LanguageList:
    """A trial list whose recordings' languages are known: id -> language."""

    source: str
    trials: TrialList
    recordings: Recordings
    languages: dict[str, str]


def read_language_list(path: Path) -> LanguageList:
    """Read a list and the languages of its recordings.

    Args:
        path: a list, or a folder that holds `trials_test.txt`. Beside it `utterances.csv` (columns `utt_id`, `files`,
            `language`) or `metadata.csv` (columns `path`, `language`) tells the languages.

    Raises:
        DataError: a file is missing or damaged, a recording's language or speaker is not told.
    """
    file = path / LIST_FILE if path.is_dir() else path
    trials, folder = read_trials(file), file.parent
    utterances = folder / UTTERANCES_FILE
    recordings = find_recordings(trials, folder, utterances=utterances if utterances.is_file() else None)
    known = _column(folder / METADATA_FILE, "path") | _column(utterances, "utt_id")
    untold = [name for name in trials.recordings if not known.get(name)]
    if untold:
        raise DataError(
            f"{len(untold)} recordings of {file} have no language, {untold[0]} for one",
            details={"looked in": f"{UTTERANCES_FILE} and {METADATA_FILE} beside the list, column 'language'"},
        )
    wrong = [t for t in trials if (recordings.speakers[t.enroll] == recordings.speakers[t.test]) != t.label]
    if wrong:
        raise DataError(
            f"{len(wrong)} trials of {file} contradict the recordings' speakers",
            details={"for one": f"{wrong[0].enroll} {wrong[0].test}"},
            hint=f"name the speakers in {UTTERANCES_FILE}, column 'speaker', or by the first folder of a path",
        )
    return LanguageList(str(path), trials, recordings, {name: known[name] for name in trials.recordings})


def compare_languages(
    compared: Sequence[ComparedModel],
    listed: LanguageList,
    *,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    steps: Steps | None = None,
) -> LanguageReport:
    """Measure every model's errors (cosine scores) on each language pair of a list.

    Args:
        compared: models; each is compared with the float net of its name, if that is among them.
        listed: the list.
        cache: embeddings computed before.
        jobs: worker processes for embeddings.
        steps: reports what is being done.

    Raises:
        UsageError: all trials are of one language pair, or no pair can be judged.
        DataError: a recording cannot be used.
    """
    parts = _divide(listed)
    if len(parts) < 2:
        raise UsageError(f"{listed.source}: all trials are {'-'.join(next(iter(parts)))}", hint="give a mixed list")
    scores: dict[str, Float32] = {}
    for candidate in compared:
        progress = steps(candidate.label) if steps else None
        found = embed_recordings(candidate.open, listed.recordings.files, cache=cache, jobs=jobs, progress=progress)
        scores[candidate.label] = score_list(listed.trials, found)
    pairs: list[LanguagePair] = []
    skipped: dict[str, str] = {}
    for (enroll, test), rows in parts.items():
        targets = listed.trials.labels[rows]
        if targets.all() or not targets.any():
            skipped[f"{enroll}-{test}"] = f"{targets.sum()} target trials of {targets.size}: no error rates"
            continue
        pairs.append(_evaluate_pair(compared, listed, rows, (enroll, test), scores))
    if not pairs:
        raise UsageError(
            f"{listed.source}: no language pair has both target and non-target trials",
            details=skipped,
            hint="give a list that has both for at least one pair",
        )
    return LanguageReport(listed.source, tuple(pairs), skipped)


def _divide(listed: LanguageList) -> dict[tuple[str, str], Rows]:
    """Group trials by (language enrolled, language tested); a language with itself first."""
    pairs = [(listed.languages[trial.enroll], listed.languages[trial.test]) for trial in listed.trials]
    names = sorted(set(pairs), key=lambda pair: (pair[0] != pair[1], pair))
    return {name: np.flatnonzero([pair == name for pair in pairs]) for name in names}


def _evaluate_pair(
    compared: Sequence[ComparedModel],
    listed: LanguageList,
    rows: Rows,
    languages: tuple[str, str],
    scores: dict[str, Float32],
) -> LanguagePair:
    trials = TrialList(tuple(listed.trials.trials[row] for row in rows))
    labels, speaker = trials.labels, listed.recordings.speakers
    speakers = ([speaker[trial.enroll] for trial in trials], [speaker[trial.test] for trial in trials])

    def errors(candidate: ComparedModel) -> LanguageErrors:
        whole, reference = scores[candidate.label], float_of(candidate, compared)
        mine, other = whole[rows], None if reference is None else scores[reference.label][rows]
        threshold = metrics.eer_threshold(whole, listed.trials.labels)
        false_accept, false_reject = metrics.error_rates(mine, labels, threshold)
        eer = metrics.eer(mine, labels)
        statistic = metrics.eer_of_points
        return LanguageErrors(
            model=candidate.label,
            eer=eer,
            eer_ci=metrics.bootstrap_by_speaker(mine, labels, speakers=speakers, statistics={"eer": statistic})["eer"],
            change=None if other is None else eer - metrics.eer(other, labels),
            change_ci=None
            if other is None
            else metrics.bootstrap_difference(mine, other, labels, speakers=speakers, statistic=statistic),
            false_accept_rate=false_accept,
            false_reject_rate=false_reject,
        )

    people = len({*speakers[0], *speakers[1]})
    return LanguagePair(
        *languages,
        trials=len(trials),
        targets=int(labels.sum()),
        speakers=people,
        errors=tuple(map(errors, compared)),
    )


def _column(path: Path, key: str) -> dict[str, str]:
    """Read key -> language from a table; empty when there is no such file or column."""
    if not path.is_file():
        return {}
    try:
        rows = read_table(path).rows
    except UNREADABLE as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    return {row[key]: row["language"] for _, row in rows if row.get(key) and row.get("language")}
