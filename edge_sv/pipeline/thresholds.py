"""What an artifact learns from the data beside its conversion: its threshold, its cohort, and what they reach."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.check_report import CheckReport
from edge_sv.artifacts.provenance import DevelopmentErrors
from edge_sv.embedders.litert import LiteRTEmbedder
from edge_sv.evaluation.evaluate import embed_recordings, score_list
from edge_sv.scoring.metrics import eer, threshold_at_far
from edge_sv.scoring.scores import Cohort, Scoring, ScoringKind
from edge_sv.scoring.speech_index import SpeechFile, read_index, training_speakers
from edge_sv.scoring.speech_sample import SpeechSample, evenly
from edge_sv.scoring.trials import TrialList
from edge_sv.system.array_types import Float32
from edge_sv.system.progress import Steps

COHORT_RECORDINGS = 8
"""Recordings of each training speaker that its mean embedding is made of."""
TOP_N = 100


def set_scoring(
    artifact: ModelArtifact,
    report: CheckReport,
    data: SpeechSample,
    index: Path,
    *,
    kind: ScoringKind,
    false_accept_rate: float,
    steps: Steps | None = None,
) -> ModelArtifact:
    """Give a checked artifact its threshold, its cohort and the check's figures.

    The threshold accepts `false_accept_rate` of the non-target trials of the pooled development lists, scored as the
    device scores them. The cohort is the mean embedding of each training speaker. Without a development list the
    artifact gets the figures alone.

    Raises:
        DataError: a recording of the data cannot be used.
    """
    provenance = artifact.provenance.with_check(report)
    if data.trials is None:
        return replace(artifact, provenance=provenance)
    cohort = make_cohort(artifact, read_index(index), steps=steps)
    scoring, development = choose_scoring(data.trials, report.embeddings, cohort, kind, false_accept_rate)
    return replace(artifact, scoring=scoring, cohort=cohort, provenance=provenance.with_development(development))


def make_cohort(artifact: ModelArtifact, files: list[SpeechFile], *, steps: Steps | None = None) -> Cohort:
    """Embed up to 8 recordings, evenly chosen, of each training speaker and average them by speaker.

    Raises:
        DataError: a recording cannot be used.
    """
    chosen = {
        f"{speaker}#{number}": (path,)
        for speaker, paths in training_speakers(files).items()
        for number, path in enumerate(evenly(paths, COHORT_RECORDINGS))
    }
    embeddings = embed_recordings(
        functools.partial(LiteRTEmbedder, artifact), chosen, progress=steps("cohort") if steps else None
    )
    speakers: dict[str, list[Float32]] = {}
    for name, embedding in embeddings.items():
        speakers.setdefault(name.rsplit("#", 1)[0], []).append(embedding)
    return Cohort(np.stack([np.mean(vectors, axis=0) for vectors in speakers.values()]))


def choose_scoring(
    trials: TrialList, embeddings: Mapping[str, Float32], cohort: Cohort, kind: ScoringKind, false_accept_rate: float
) -> tuple[Scoring, DevelopmentErrors]:
    """Set the threshold of a scoring on a development list; return it and what both kinds of scoring reach there."""
    scores = {
        "cosine": score_list(trials, embeddings),
        "as_norm": score_list(trials, embeddings, kind="as_norm", cohort=cohort, top_n=TOP_N),
    }
    threshold = threshold_at_far(scores[kind], trials.labels, false_accept_rate)
    rates = {name: eer(values, trials.labels) for name, values in scores.items()}
    targets = int(trials.labels.sum())
    development = DevelopmentErrors(len(trials), targets, eer_cosine=rates["cosine"], eer_as_norm=rates["as_norm"])
    return Scoring(kind, threshold, false_accept_rate, TOP_N), development
