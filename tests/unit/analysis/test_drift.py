"""Drift and flips of scores that are made so that the answer is known."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from edge_sv.analysis.drift import BAND_EDGES, Drift, measure_drift
from edge_sv.scoring.metrics import bootstrap_means_by_speaker
from edge_sv.scoring.trials import Trial, TrialList

SPEAKERS = {f"s{n}/{k}": f"s{n}" for n in range(12) for k in range(4)}
TRIALS = TrialList(tuple(Trial(a[:-2] == b[:-2], a, b) for a, b in itertools.combinations(SPEAKERS, 2)))
LABELS = TRIALS.labels
THRESHOLD = 0.5


def float_scores() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.3 + 0.35 * LABELS + 0.12 * rng.standard_normal(len(LABELS))).astype(np.float32)


def drift_of(scores: np.ndarray) -> Drift:
    return measure_drift(scores.astype(np.float32), float_scores(), TRIALS, SPEAKERS, threshold=THRESHOLD)


def test_the_same_scores_have_no_drift_and_no_flips() -> None:
    drift = drift_of(float_scores())
    assert (drift.mean, drift.std, drift.flips.flips, drift.recalibrated.flips) == (0, 0, 0, 0)
    assert drift.correlation == pytest.approx(1)
    assert drift.recalibrated_threshold <= float_scores()[float_scores() >= THRESHOLD].min()


def test_a_shift_flips_what_lies_within_it_and_nothing_once_recalibrated() -> None:
    scores, shift = float_scores(), 0.04
    drift = drift_of(scores + shift)
    within = (scores < THRESHOLD) & (scores.astype(np.float32) + np.float32(shift) >= THRESHOLD)
    assert drift.mean == pytest.approx(shift, abs=1e-6)
    assert drift.std < 1e-6
    assert drift.flips.flips == within.sum() > 0
    assert drift.helpful.flips == (within & LABELS).sum()
    assert drift.new_false_accepts.flips == (within & ~LABELS).sum()
    assert drift.new_misses.flips == 0
    assert drift.recalibrated.flips == 0
    assert drift.recalibrated_threshold == pytest.approx(THRESHOLD + shift, abs=0.005)
    assert [band.flips.flips for band in drift.bands[2:]] == [0, 0, 0]


def test_flips_add_up() -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal(len(LABELS))
    drift = drift_of(float_scores() + noise)
    assert drift.flips.flips == drift.harmful.flips + drift.helpful.flips
    assert drift.flips.flips == drift.targets.flips + drift.non_targets.flips
    assert drift.flips.flips == sum(band.flips.flips for band in drift.bands)
    assert drift.harmful.flips == drift.new_misses.flips + drift.new_false_accepts.flips
    assert sum(band.flips.trials for band in drift.bands) == len(TRIALS) == drift.flips.trials
    assert drift.targets.trials == LABELS.sum()
    rates = [band.flips.rate for band in drift.bands]
    assert rates == sorted(rates, reverse=True), "noise flips what is near the threshold"
    assert sum(drift.histogram[1]) == len(TRIALS)


def test_intervals_hold_the_rate_and_are_none_where_ids_do_not_tell_speakers() -> None:
    scores = float_scores() + 0.05 * np.random.default_rng(1).standard_normal(len(LABELS)).astype(np.float32)
    drift = drift_of(scores)
    assert drift.flips.ci is not None and drift.mean_ci is not None
    assert drift.flips.ci[0] < drift.flips.rate < drift.flips.ci[1]
    assert drift.mean_ci[0] < drift.mean < drift.mean_ci[1]
    unknown = dict.fromkeys(SPEAKERS, "someone")
    blind = measure_drift(scores, float_scores(), TRIALS, unknown, threshold=THRESHOLD)
    assert blind.flips.ci is None and blind.mean_ci is None
    assert blind.flips.flips == drift.flips.flips


def test_a_net_that_gives_one_score_to_all_has_no_correlation() -> None:
    """What too few bits may leave; the figures stay JSON."""
    drift = drift_of(np.zeros(len(LABELS)))
    assert drift.correlation is None and drift.recalibrated_threshold == 0
    assert drift.new_misses.flips == (LABELS & (float_scores() >= THRESHOLD)).sum()
    json.dumps(drift.to_dict(), allow_nan=False)


def test_it_is_json_and_bands_follow_the_scoring() -> None:
    scores = float_scores()
    drift = measure_drift(10 * scores, 10 * scores + 1, TRIALS, SPEAKERS, threshold=5.0, kind="as_norm")
    document = json.loads(json.dumps(drift.to_dict()))
    assert [band["low"] for band in document["bands"]] == list(BAND_EDGES["as_norm"])
    assert document["bands"][-1]["high"] is None
    assert document["flips"]["rate"] == drift.flips.rate > 0


def test_means_are_drawn_by_speaker_as_if_each_drawn_copy_were_a_person() -> None:
    """The weights k and k * l, compared with trials that are really copied."""
    values = np.random.default_rng(3).standard_normal(len(TRIALS))
    sides = ([SPEAKERS[t.enroll] for t in TRIALS], [SPEAKERS[t.test] for t in TRIALS])
    only_targets = np.where(LABELS, values, np.nan)
    names = sorted(set(SPEAKERS.values()))
    draws = np.random.default_rng(7).multinomial(len(names), np.full(len(names), 1 / len(names)), size=40)
    expected: dict[str, list[float]] = {"all": [], "targets": []}
    for draw in draws:
        count = dict(zip(names, draw, strict=True))
        copies = [count[a] if label else count[a] * count[b] for a, b, label in zip(*sides, LABELS, strict=True)]
        expected["all"].append(np.repeat(values, copies).mean())
        expected["targets"].append(np.repeat(values[LABELS], np.array(copies)[LABELS]).mean())
    found = bootstrap_means_by_speaker(
        {"all": values, "targets": only_targets}, LABELS, speakers=sides, replicates=40, seed=7
    )
    for name, means in expected.items():
        assert found[name] == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))))


def test_a_mean_over_no_trial_has_no_interval() -> None:
    sides = ([SPEAKERS[t.enroll] for t in TRIALS], [SPEAKERS[t.test] for t in TRIALS])
    found = bootstrap_means_by_speaker({"none": np.full(len(TRIALS), np.nan)}, LABELS, speakers=sides, replicates=5)
    assert np.isnan(found["none"]).all()
