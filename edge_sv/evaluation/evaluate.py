"""How good is an embedder on a trial list? Embed every recording once, score every trial, measure the errors."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sv.audio.noisy_copy import NoisyCopy
from edge_sv.audio.recording import join, read_recording
from edge_sv.embedders import Embedder
from edge_sv.embedders.open import scoring_artifact
from edge_sv.errors import DataError
from edge_sv.evaluation.embedding_cache import EmbeddingCache, embedding_key
from edge_sv.scoring import metrics
from edge_sv.scoring.scores import Cohort, Scoring, ScoringKind, score_trials
from edge_sv.scoring.trials import Recordings, TrialList
from edge_sv.system.array_types import Float32
from edge_sv.system.processes import map_in_processes
from edge_sv.system.progress import Progress, report_progress

EmbedderFactory = Callable[[], Embedder]

_Task = tuple[str, tuple[Path, ...]]

P_TARGETS = (0.01, 0.05)
"""Shares of target trials that detection costs are computed for."""

_WORTH_A_POOL = 48
"""Recordings from which on starting worker processes (about two seconds) pays."""


@dataclass(frozen=True)
class Evaluation:
    """What a trial list says about an embedder and a way of scoring. Rates are fractions.

    Args:
        scoring: `cosine` or `as_norm`.
        trials: how many.
        targets: how many of them are target trials.
        recordings: how many different ones.
        speakers: how many, as far as the ids tell.
        eer: equal error rate; see `metrics.eer` for its interpolation.
        eer_ci: its 95 % bootstrap interval by speaker; None without speaker labels.
        eer_threshold: score where both error rates are nearest to each other.
        min_dcf: p_target -> lowest normalized detection cost.
        min_dcf_ci: p_target -> its interval.
        cllr: of the scores as they are, taken as natural log-likelihood ratios.
        min_cllr: after the best monotonic calibration.
        threshold: the threshold that decides.
        threshold_source: `model` when it was shipped with the model, `eer` when it is this list's own `eer_threshold`.
        false_accept_rate: of non-target trials, at `threshold`.
        false_reject_rate: of target trials, at `threshold`.
        act_dcf: p_target -> normalized detection cost at `threshold`.
        scores: (num_trials,) float32, in the list's order.
    """

    scoring: ScoringKind
    trials: int
    targets: int
    recordings: int
    speakers: int
    eer: float
    eer_ci: tuple[float, float] | None
    eer_threshold: float
    min_dcf: Mapping[str, float]
    min_dcf_ci: Mapping[str, tuple[float, float]] | None
    cllr: float
    min_cllr: float
    threshold: float
    threshold_source: Literal["model", "eer"]
    false_accept_rate: float
    false_reject_rate: float
    act_dcf: Mapping[str, float]
    scores: Float32 = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the scores as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "scores"}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def evaluate(
    embedder: Embedder | EmbedderFactory,
    trials: TrialList,
    recordings: Recordings,
    *,
    scoring: Scoring | ScoringKind = "cosine",
    cohort: Cohort | None = None,
    noise: NoisyCopy | None = None,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Embed a list's recordings, score its trials and measure the errors.

    Args:
        embedder: see `embed_recordings`.
        trials: the list.
        recordings: where its ids lead.
        scoring: a shipped scoring with its threshold, or a kind alone; then this list's EER threshold decides.
        cohort: for AS-norm.
        noise: evaluate on a noisy copy of the recordings.
        cache: embeddings computed before.
        jobs: see `embed_recordings`.
        progress: see `embed_recordings`.

    Raises:
        DataError: a recording cannot be used.
        UsageError: AS-norm without a cohort.
    """
    embeddings = embed_recordings(embedder, recordings.files, noise=noise, cache=cache, jobs=jobs, progress=progress)
    shipped = scoring if isinstance(scoring, Scoring) else None
    kind: ScoringKind = scoring.kind if isinstance(scoring, Scoring) else scoring
    scores = score_list(trials, embeddings, kind=kind, cohort=cohort, top_n=shipped.top_n if shipped else 100)
    return compute_evaluation(
        scores, trials, recordings.speakers, kind=kind, threshold=shipped.threshold if shipped else None
    )


def model_scoring(model: Path | str, *, runtime: str | None = None) -> tuple[Scoring | None, Cohort | None]:
    """Return the scoring and the cohort that a model carries, if any; arguments and errors as `scoring_artifact`."""
    artifact = scoring_artifact(model, runtime=runtime)
    return (artifact.scoring, artifact.cohort) if artifact else (None, None)


def score_list(
    trials: TrialList,
    embeddings: Mapping[str, Float32],
    *,
    kind: ScoringKind = "cosine",
    cohort: Cohort | None = None,
    top_n: int = 100,
) -> Float32:
    """Score a list's trials, (num_trials,) float32, from id -> (embedding_dim,) embeddings; see `score_trials`."""
    names = trials.recordings
    row = {name: number for number, name in enumerate(names)}
    enroll = np.array([row[trial.enroll] for trial in trials], np.intp)
    test = np.array([row[trial.test] for trial in trials], np.intp)
    matrix = np.stack([embeddings[name] for name in names])
    return score_trials(matrix, (enroll, test), kind=kind, cohort=cohort, top_n=top_n)


def compute_evaluation(
    scores: Float32,
    trials: TrialList,
    speakers: Mapping[str, str],
    *,
    kind: ScoringKind = "cosine",
    threshold: float | None = None,
) -> Evaluation:
    """Measure the errors of a list's scores.

    Args:
        scores: (num_trials,).
        trials: the list.
        speakers: recording id -> speaker. Where they contradict the labels the intervals are None.
        kind: how the scores were made.
        threshold: the model's own; None: decide at this list's EER threshold.
    """
    labels, eer_threshold = trials.labels, metrics.eer_threshold(scores, trials.labels)
    decided = eer_threshold if threshold is None else threshold
    false_accept, false_reject = metrics.error_rates(scores, labels, decided)
    intervals = _intervals(scores, labels, trials, speakers)
    return Evaluation(
        scoring=kind,
        trials=len(trials),
        targets=int(labels.sum()),
        recordings=len(trials.recordings),
        speakers=len({speakers[name] for name in trials.recordings}),
        eer=metrics.eer(scores, labels),
        eer_ci=intervals.get("eer"),
        eer_threshold=eer_threshold,
        min_dcf={str(p): metrics.min_dcf(scores, labels, p) for p in P_TARGETS},
        min_dcf_ci={str(p): intervals[str(p)] for p in P_TARGETS} if intervals else None,
        cllr=metrics.cllr(scores, labels),
        min_cllr=metrics.min_cllr(scores, labels),
        threshold=decided,
        threshold_source="eer" if threshold is None else "model",
        false_accept_rate=false_accept,
        false_reject_rate=false_reject,
        act_dcf={str(p): metrics.act_dcf(scores, labels, p, threshold=decided) for p in P_TARGETS},
        scores=np.asarray(scores, np.float32),
    )


def _intervals(
    scores: Float32, labels: npt.NDArray[np.bool_], trials: TrialList, speakers: Mapping[str, str]
) -> dict[str, tuple[float, float]]:
    sides = ([speakers[trial.enroll] for trial in trials], [speakers[trial.test] for trial in trials])
    if any((a == b) != label for a, b, label in zip(*sides, labels, strict=True)):
        return {}
    statistics = {"eer": metrics.eer_of_points, **{str(p): metrics.dcf_of_points(p) for p in P_TARGETS}}
    return metrics.bootstrap_by_speaker(scores, labels, speakers=sides, statistics=statistics)


def embed_recordings(
    embedder: Embedder | EmbedderFactory,
    files: Mapping[str, Sequence[Path]],
    *,
    noise: NoisyCopy | None = None,
    cache: EmbeddingCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Float32]:
    """Embed every recording once.

    Every recording counts: none is refused for holding little speech.

    Args:
        embedder: an embedder, used in this process alone; or a function that opens one, which must pickle, so that
            each worker process opens its own.
        files: id -> files that are joined to make the recording.
        noise: degrade the recordings first, by their ids.
        cache: where finished embeddings are looked up, and kept as they come, so an interruption loses none.
        jobs: worker processes; None: one for every core this process may use.
        progress: called as embeddings arrive.

    Returns:
        id -> (embedding_dim,) float32 of length 1, in the order of `files`.

    Raises:
        DataError: a recording cannot be read.
    """
    factory = embedder if callable(embedder) else None
    worker = _Worker(embedder() if callable(embedder) else embedder, noise)
    keys = {name: worker.key(name, paths) for name, paths in files.items()} if cache else {}
    done = {name: vector for name, key in keys.items() if cache and (vector := cache.get(key)) is not None}
    todo = [(name, tuple(paths)) for name, paths in files.items() if name not in done]
    report_progress(progress, len(done), len(files))
    for name, vector in worker.embed_all(todo, factory=factory, jobs=jobs):
        done[name] = vector
        if cache:
            cache.put(keys[name], vector)
        report_progress(progress, len(done), len(files))
    return {name: done[name] for name in files}


@dataclass(frozen=True)
class _Worker:
    """Embeds recordings one by one; every process has its own."""

    embedder: Embedder
    noise: NoisyCopy | None

    @functools.cached_property
    def _embedder(self) -> str:
        kind = type(self.embedder)
        return f"{kind.__module__}.{kind.__qualname__} {self.embedder.sources_sha256}"

    def key(self, name: str, paths: Sequence[Path]) -> str:
        return embedding_key(
            paths,
            model_sha256=self.embedder.model_sha256,
            embedder=self._embedder,
            features=self.embedder.features,
            segments=self.embedder.segments,
            degradation=self.noise.key(name) if self.noise else None,
        )

    def embed(self, task: _Task) -> tuple[str, Float32]:
        name, paths = task
        rate = self.embedder.features.sample_rate
        pcm = join([read_recording(path, sample_rate=rate) for path in paths])
        try:
            vector = self.embedder.embed(self.noise.apply(name, pcm, sample_rate=rate) if self.noise else pcm)
        except DataError as error:
            raise DataError(f"recording {name}: {error.message}", details=error.details, hint=error.hint) from error
        if not np.isfinite(vector).all() or not vector.any():
            raise DataError(f"recording {name}: its embedding is zero or not finite", details={"file": str(paths[0])})
        return name, vector

    def embed_all(
        self, tasks: Sequence[_Task], *, factory: EmbedderFactory | None, jobs: int | None
    ) -> Iterator[tuple[str, Float32]]:
        """Embed in processes that each open an embedder of their own, where that is possible and pays; else here.

        Worker processes rather than threads: the front end is numpy, and TensorFlow Lite Micro's interpreter keeps
        Python's lock while it runs. They start afresh, because TensorFlow does not survive a fork.
        """
        jobs = min(jobs or len(os.sched_getaffinity(0)), len(tasks))
        if factory and jobs > 1 and len(tasks) >= _WORTH_A_POOL:
            start = functools.partial(_start_worker, factory, self.noise)
            return map_in_processes(_run_worker, tasks, jobs=jobs, start=start)
        return map(self.embed, tasks)


_worker: _Worker | None = None
"""This process's worker, when this is a worker process."""


def _start_worker(factory: EmbedderFactory, noise: NoisyCopy | None) -> None:
    global _worker
    _worker = _Worker(factory(), noise)


def _run_worker(task: _Task) -> tuple[str, Float32]:
    assert _worker is not None
    return _worker.embed(task)
