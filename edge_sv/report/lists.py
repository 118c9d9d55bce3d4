"""Test lists: every model's errors on each list and on all of them together, and how its scores drift from float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sv.analysis.compared_models import ComparedModel, float_of
from edge_sv.analysis.drift import Drift, measure_drift
from edge_sv.errors import DataError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import Evaluation, compute_evaluation, embed_recordings, score_list
from edge_sv.scoring import metrics
from edge_sv.scoring.speech_index import read_index
from edge_sv.scoring.trials import Recordings, Trial, TrialList, find_recordings, read_trials
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Steps

LIST_FILE, UTTERANCES_FILE = "trials_test.txt", "utterances.csv"
POOLED = "all lists"
DET_POINTS = 160
"""Points of a DET curve that are kept, evenly along the curve as it is drawn."""

Curve = dict[str, list[float]]


@dataclass(frozen=True)
class EvaluationList:
    """A list: ids lead to files and to speakers that are unique over lists."""

    name: str
    trials: TrialList
    recordings: Recordings
    command: str


@dataclass(frozen=True)
class ListErrors:
    """One model on one list.

    Args:
        model: its label.
        evaluation: errors with intervals, cosine scores.
        curve: `miss` and `false_accept` of the DET curve, thinned.
        change: EER less the float net's; None for a float net.
        change_ci: its 95 % interval, both on the same draws of speakers.
        drift: of the scores from the float net's; None for a float net.
    """

    model: str
    evaluation: Evaluation
    curve: Curve
    change: float | None
    change_ci: tuple[float, float] | None
    drift: Drift | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "model": self.model,
            **self.evaluation.to_dict(),
            "change": self.change,
            "change_ci": self.change_ci,
            "curve": self.curve,
            "drift": None if self.drift is None else self.drift.to_dict(),
        }


@dataclass(frozen=True)
class ListReport:
    """All models on one list."""

    name: str
    command: str
    trials: int
    targets: int
    recordings: int
    speakers: int
    errors: tuple[ListErrors, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "errors"}
        return {**values, "errors": [each.to_dict() for each in self.errors]}


def find_lists(index: Path) -> list[EvaluationList]:
    """Find the test lists beside a table of speech files, `<corpus>/trials_test.txt`; all together come last.

    Raises:
        DataError: the table or a list cannot be used, or there is none.
    """
    lists = []
    for corpus in sorted({file.corpus for file in read_index(index)}):
        folder = index.parent / corpus
        if (folder / LIST_FILE).is_file():
            lists.append(_read_list(corpus, folder))
    if not lists:
        raise DataError(f"{index} has no test list beside it", details={"missing": f"<corpus>/{LIST_FILE}"})
    return lists if len(lists) == 1 else [*lists, _pool(lists)]


def evaluate_lists(
    compared: Sequence[ComparedModel],
    lists: Sequence[EvaluationList],
    *,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    steps: Steps | None = None,
) -> list[ListReport]:
    """Score every list with every model.

    A model's threshold is the one that it ships; a float net, and a model that ships one for AS-norm, is judged at its
    EER threshold. Drift is measured at the model's shipped threshold, else at the float net's EER threshold.

    Args:
        compared: models; each is compared with the float net of its name, if that is among them.
        lists: what `find_lists` found.
        cache: embeddings computed before.
        jobs: worker processes for embeddings.
        steps: reports what is being done.

    Raises:
        DataError: a recording cannot be used.
    """
    files = {name: paths for each in lists for name, paths in each.recordings.files.items()}
    embeddings: dict[str, Mapping[str, Float32]] = {}
    for candidate in compared:
        progress = steps(f"{candidate.label}, test lists") if steps else None
        embeddings[candidate.label] = embed_recordings(candidate.open, files, cache=cache, jobs=jobs, progress=progress)
    told = steps("error rates") if steps else None
    reports = []
    for number, each in enumerate(lists):
        if told:
            told(number, len(lists))
        reports.append(_report(each, compared, embeddings))
    return reports


def thin_curve(points: metrics.DetPoints) -> Curve:
    """Keep some points of a curve, evenly along it on normal-deviate axes, within the plot and a step beyond."""
    from edge_sv.report.det import LIMITS_PERCENT, to_deviates  # here, because scipy loads slowly

    highest = LIMITS_PERCENT[1] / 100
    inside = np.flatnonzero((points.miss <= highest) & (points.false_accept <= highest))
    if not inside.size:
        inside = np.array([np.argmin(np.abs(points.miss - points.false_accept))])
    shown = slice(max(0, inside[0] - 1), inside[-1] + 2)
    miss, false_accept = points.miss[shown], points.false_accept[shown]
    steps = np.abs(np.diff([to_deviates(miss), to_deviates(false_accept)])).sum(axis=0)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    kept = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], DET_POINTS)).clip(0, len(length) - 1))
    return {"miss": _rounded(miss[kept]), "false_accept": _rounded(false_accept[kept])}


def _rounded(values: np.ndarray[Any, Any]) -> list[float]:
    return [round(float(value), 6) for value in values]


def _read_list(corpus: str, folder: Path) -> EvaluationList:
    trials, table = read_trials(folder / LIST_FILE), folder / UTTERANCES_FILE
    found = find_recordings(trials, folder, utterances=table if table.is_file() else None)
    joined = f" --utterances {table}" if table.is_file() else ""
    return EvaluationList(
        corpus,
        TrialList(tuple(Trial(t.label, f"{corpus}/{t.enroll}", f"{corpus}/{t.test}") for t in trials)),
        Recordings(
            {f"{corpus}/{name}": paths for name, paths in found.files.items()},
            {f"{corpus}/{name}": f"{corpus}/{who}" for name, who in found.speakers.items()},
        ),
        f"edge-sv evaluate MODEL --trials {folder / LIST_FILE} --audio {folder}{joined} --scoring cosine",
    )


def _pool(lists: Sequence[EvaluationList]) -> EvaluationList:
    return EvaluationList(
        POOLED,
        TrialList(tuple(trial for each in lists for trial in each.trials)),
        Recordings(
            {name: paths for each in lists for name, paths in each.recordings.files.items()},
            {name: who for each in lists for name, who in each.recordings.speakers.items()},
        ),
        "",
    )


def _report(
    each: EvaluationList, compared: Sequence[ComparedModel], embeddings: Mapping[str, Mapping[str, Float32]]
) -> ListReport:
    scores = {candidate.label: score_list(each.trials, embeddings[candidate.label]) for candidate in compared}
    errors = tuple(_errors(each, candidate, float_of(candidate, compared), scores) for candidate in compared)
    return ListReport(
        name=each.name,
        command=each.command,
        trials=len(each.trials),
        targets=int(each.trials.labels.sum()),
        recordings=len(each.trials.recordings),
        speakers=len(set(each.recordings.speakers.values())),
        errors=errors,
    )


def _errors(
    each: EvaluationList, candidate: ComparedModel, reference: ComparedModel | None, scores: Mapping[str, Float32]
) -> ListErrors:
    trials, speakers, labels = each.trials, each.recordings.speakers, each.trials.labels
    mine = scores[candidate.label]
    shipped = candidate.artifact.scoring if candidate.artifact else None
    threshold = shipped.threshold if shipped and shipped.kind == "cosine" else None
    evaluation = compute_evaluation(mine, trials, speakers, threshold=threshold)
    curve = thin_curve(metrics.det_points(mine, labels))
    if reference is None:
        return ListErrors(candidate.label, evaluation, curve, None, None, None)
    other = scores[reference.label]
    at = metrics.eer_threshold(other, labels) if threshold is None else threshold
    interval = None
    if evaluation.eer_ci is not None:
        sides = ([speakers[t.enroll] for t in trials], [speakers[t.test] for t in trials])
        interval = metrics.bootstrap_difference(mine, other, labels, speakers=sides, statistic=metrics.eer_of_points)
    return ListErrors(
        candidate.label,
        evaluation,
        curve,
        evaluation.eer - metrics.eer(other, labels),
        interval,
        measure_drift(mine, other, trials, speakers, threshold=at),
    )
