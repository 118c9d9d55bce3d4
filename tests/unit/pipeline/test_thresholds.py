"""A threshold is set on development trials, a cohort is made of training speakers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.pipeline.thresholds import choose_scoring, make_cohort, set_scoring
from edge_sv.scoring.scores import Cohort
from edge_sv.scoring.speech_index import read_index
from edge_sv.scoring.speech_sample import bundled_voices, check_sample
from edge_sv.scoring.trials import Trial, TrialList
from tests.unit.pipeline.test_build import RECORDED

NAMES = [f"s{number}" for number in range(40)]


@pytest.fixture(scope="module")
def embeddings() -> dict[str, np.ndarray]:
    """Two recordings each of twenty speakers, near one another."""
    rng = np.random.default_rng(0)
    voices = np.repeat(rng.standard_normal((20, 16)), 2, axis=0) + 0.2 * rng.standard_normal((40, 16))
    return {name: (v / np.linalg.norm(v)).astype(np.float32) for name, v in zip(NAMES, voices, strict=True)}


@pytest.mark.parametrize("kind", ["cosine", "as_norm"])
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_the_threshold_accepts_the_wanted_share(embeddings: dict[str, np.ndarray], kind: str, rate: float) -> None:
    trials = TrialList(tuple(Trial(i // 2 == j // 2, NAMES[i], NAMES[j]) for i in range(40) for j in range(i)))
    cohort = Cohort(np.random.default_rng(1).standard_normal((30, 16)).astype(np.float32))
    scoring, development = choose_scoring(trials, embeddings, cohort, kind, rate)  # type: ignore[arg-type]
    from edge_sv.evaluation.evaluate import score_list

    scores = score_list(trials, embeddings, kind=kind, cohort=cohort, top_n=scoring.top_n)  # type: ignore[arg-type]
    share = float(np.mean(scores[~trials.labels.astype(bool)] >= scoring.threshold))
    assert share == pytest.approx(rate, abs=2 / 760) and scoring.false_accept_rate == rate
    assert development.trials == 780 and development.targets == 20


def test_the_cohort_has_each_training_speaker_once(artifact: ModelArtifact, data: Path) -> None:
    cohort = make_cohort(artifact, read_index(data))
    assert len(cohort) == 4


def test_without_a_list_only_the_figures_are_noted(artifact: ModelArtifact, data: Path) -> None:
    options = {"kind": "cosine", "false_accept_rate": 0.01}
    noted = set_scoring(artifact, RECORDED, bundled_voices(), data, **options)  # type: ignore[arg-type]
    assert noted.scoring is None and noted.cohort is None
    assert noted.provenance.check == RECORDED


def test_with_a_list_all_is_set(artifact: ModelArtifact, data: Path) -> None:
    from edge_sv.embedders.litert import LiteRTEmbedder
    from edge_sv.evaluation.evaluate import embed_recordings

    sample = check_sample(data)
    import dataclasses

    report = dataclasses.replace(RECORDED, embeddings=embed_recordings(LiteRTEmbedder(artifact), sample.files))
    done = set_scoring(artifact, report, sample, data, kind="as_norm", false_accept_rate=0.05)
    assert done.scoring is not None and done.scoring.kind == "as_norm" and done.scoring.false_accept_rate == 0.05
    assert done.cohort is not None and done.provenance.development is not None
    assert done.provenance.development.trials == 36
