"""Metrics against cases worked out by hand, against scikit-learn, and against what must always hold."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

from edge_sv.scoring import metrics

# Four targets and four non-targets: one target (0.3) lies below one non-target (0.6).
SCORES = [0.9, 0.8, 0.7, 0.3, 0.6, 0.2, 0.1, 0.0]
LABELS = [True, True, True, True, False, False, False, False]


def normal_lists(
    num: int, *, seed: int, distance: float = 2.0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    generator = np.random.default_rng(seed)
    labels = generator.random(num) < 0.3
    labels[:2] = True, False
    return generator.normal(size=num) + distance * labels, labels


@st.composite
def score_lists(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    num = draw(st.integers(2, 40))
    scores = draw(arrays(np.float64, num, elements=st.integers(-8, 8).map(lambda n: n / 4)))  # many ties
    labels = draw(arrays(np.bool_, num))
    labels[:2] = True, False
    return scores, labels


def test_points_by_hand() -> None:
    points = metrics.det_points(SCORES, LABELS)
    np.testing.assert_array_equal(points.thresholds[:-1], [0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9])
    np.testing.assert_array_equal(points.miss, [0, 0, 0, 0, 0.25, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(points.false_accept, [1, 0.75, 0.5, 0.25, 0.25, 0, 0, 0, 0])
    assert 0.9 < points.thresholds[-1] < 0.9000001


def test_eer_by_hand() -> None:
    assert metrics.eer(SCORES, LABELS) == pytest.approx(0.25)
    assert metrics.eer_threshold(SCORES, LABELS) == 0.6
    # Two targets, three non-targets: the curve goes straight from (1/3, 0) to (1/3, 1/2).
    assert metrics.eer([2, 0.5, 1, 0, -1], [True, True, False, False, False]) == pytest.approx(1 / 3)
    # Equal scores are never separated: from (1, 0) the curve goes straight to (0, 1).
    assert metrics.eer([1, 1, 1], [True, False, False]) == pytest.approx(0.5)
    # A tie of one target and one non-target out of two each: from (1/2, 0) to (0, 1/2).
    assert metrics.eer([2, 1, 1, 0], [True, True, False, False]) == pytest.approx(0.25)


def test_detection_costs_by_hand() -> None:
    # p = .5: (miss + fa) / 2 / .5 is lowest at 0.3 (miss 0, fa 1/4) and at 0.7 (miss 1/4, fa 0).
    assert metrics.min_dcf(SCORES, LABELS, 0.5) == pytest.approx(0.25)
    # p = .01: false accepts weigh 99 times as much, so 0.7 wins: .01 * .25 / .01.
    assert metrics.min_dcf(SCORES, LABELS, 0.01) == pytest.approx(0.25)
    # p = .99: misses weigh 99 times as much, so 0.3 wins: .01 * .25 / .01.
    assert metrics.min_dcf(SCORES, LABELS, 0.99) == pytest.approx(0.25)
    assert metrics.act_dcf(SCORES, LABELS, 0.01, threshold=0.3) == pytest.approx(0.99 * 0.25 / 0.01)
    assert metrics.act_dcf(SCORES, LABELS, 0.01, threshold=2.0) == pytest.approx(1.0)
    assert metrics.act_dcf(SCORES, LABELS, 0.05, threshold=0.7) == pytest.approx(0.25)
    assert metrics.act_dcf(SCORES, LABELS, 0.05, threshold=0.75) == pytest.approx(0.5)
    assert metrics.min_dcf(SCORES, LABELS, 0.01, c_miss=10, c_fa=1) == pytest.approx(0.25)


def test_thresholds_by_hand() -> None:
    assert metrics.threshold_at_far(SCORES, LABELS, 1.0) == 0.0
    assert metrics.threshold_at_far(SCORES, LABELS, 0.5) == 0.2
    assert metrics.threshold_at_far(SCORES, LABELS, 0.3) == 0.3
    assert metrics.threshold_at_far(SCORES, LABELS, 0.0) == 0.7
    assert metrics.error_rates(SCORES, LABELS, 0.6) == (0.25, 0.25)
    with pytest.raises(ValueError, match="false-accept rate"):
        metrics.threshold_at_far(SCORES, LABELS, 1.5)


def test_cllr_by_hand() -> None:
    assert metrics.cllr([0, 0, 0], [True, False, False]) == pytest.approx(1.0)
    # Ratios of 3 and 1/3: log2(1 + 1/3) on both sides.
    assert metrics.cllr(np.log([3, 1 / 3]), [True, False]) == pytest.approx(np.log2(4 / 3))
    assert metrics.cllr([-800, 800], [True, False]) == pytest.approx(800 / np.log(2))
    assert metrics.min_cllr([2, 1, 0], [True, True, False]) == 0.0
    assert metrics.min_cllr([5, 5, 5, 5], [True, True, False, False]) == pytest.approx(1.0)
    # One violator pair in the middle pools to even odds: of each class one trial in two costs 1 bit.
    assert metrics.min_cllr([0, 1, 2, 3], [False, True, False, True]) == pytest.approx(0.5)


@given(score_lists())
def test_eer_equals_the_roc_curves_crossing(lists: tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]) -> None:
    scores, labels = lists
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    points = metrics.det_points(scores, labels)
    np.testing.assert_allclose(points.false_accept[::-1], fpr, atol=1e-12)
    np.testing.assert_allclose(1 - points.miss[::-1], tpr, atol=1e-12)
    if len(np.unique(fpr)) == len(fpr):  # interp1d cannot follow a vertical piece
        expected = brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)
        assert metrics.eer(scores, labels) == pytest.approx(expected, abs=1e-9)


def test_eer_equals_the_roc_curves_crossing_on_a_long_list() -> None:
    scores, labels = normal_lists(5000, seed=1)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert metrics.eer(scores, labels) == pytest.approx(brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1), abs=1e-3)
    # Two normals at distance d: the EER is the normal tail beyond d / 2.
    assert metrics.eer(scores, labels) == pytest.approx(0.1587, abs=0.015)


@given(score_lists())
def test_min_cllr_equals_isotonic_calibration(lists: tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]) -> None:
    scores, labels = lists
    posterior = IsotonicRegression(y_min=0, y_max=1).fit(scores, labels).predict(scores)
    with np.errstate(divide="ignore"):
        ratios = np.log(posterior / (1 - posterior)) - np.log(labels.mean() / (1 - labels.mean()))
    costs = [np.log2(1 + np.exp(-ratios[labels])).mean(), np.log2(1 + np.exp(ratios[~labels])).mean()]
    assert metrics.min_cllr(scores, labels) == pytest.approx(np.mean(costs), abs=1e-9)


@given(score_lists(), st.floats(0.01, 0.99))
def test_what_always_holds(lists: tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]], p_target: float) -> None:
    scores, labels = lists
    lowest = metrics.min_dcf(scores, labels, p_target)
    assert 0 <= lowest <= 1
    for threshold in (*scores, 99.0):
        assert lowest <= metrics.act_dcf(scores, labels, p_target, threshold=threshold) + 1e-12
    assert metrics.min_cllr(scores, labels) <= min(metrics.cllr(scores, labels), 1.0) + 1e-12
    assert metrics.eer(scores, labels) == pytest.approx(metrics.eer(scores * 8 + 3, labels))
    assert metrics.eer(scores, labels) == pytest.approx(1 - metrics.eer(-scores, labels), abs=1e-9)
    far = metrics.error_rates(scores, labels, metrics.threshold_at_far(scores, labels, 0.2))[0]
    assert far <= 0.2


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([1.0, 2.0], [True, True], "target and non-target"),
        ([1.0, np.nan], [True, False], "1 scores are not finite"),
        ([1.0, 2.0, 3.0], [True, False], "num_trials"),
        ([], [], "target and non-target"),
    ],
)
def test_lists_without_an_answer_are_refused(scores: list[float], labels: list[bool], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        metrics.eer(scores, labels)


def speaker_trials(num_speakers: int, each: int, *, seed: int) -> tuple[list[float], list[bool], list[str], list[str]]:
    """Make trials whose scores depend on the speakers: some speakers are hard."""
    generator = np.random.default_rng(seed)
    hardness = generator.normal(size=num_speakers)
    enroll = generator.integers(0, num_speakers, num_speakers * each)
    test = np.where(generator.random(len(enroll)) < 0.3, enroll, generator.integers(0, num_speakers, len(enroll)))
    labels = enroll == test
    scores = generator.normal(size=len(enroll)) + np.where(labels, 2 + hardness[enroll], 0.5 * hardness[enroll])
    return list(scores), list(labels), [f"s{i}" for i in enroll], [f"s{i}" for i in test]


def test_bootstrap_by_speaker_equals_drawing_the_trials_themselves() -> None:
    scores, labels, enroll, test = speaker_trials(6, 12, seed=3)
    names = sorted({*enroll, *test})
    draws = np.random.default_rng(7).multinomial(len(names), np.full(len(names), 1 / len(names)), size=40)
    values = []
    for counts in draws:
        count = dict(zip(names, counts, strict=True))
        copies = [count[a] if label else count[a] * count[b] for label, a, b in zip(labels, enroll, test, strict=True)]
        drawn_scores, drawn_labels = np.repeat(scores, copies), np.repeat(labels, copies)
        if drawn_labels.any() and not drawn_labels.all():
            values.append(metrics.eer(drawn_scores, drawn_labels))
    found = metrics.bootstrap_by_speaker(
        scores, labels, speakers=(enroll, test), statistics={"eer": metrics.eer_of_points}, replicates=40, seed=7
    )
    assert found["eer"] == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])), abs=1e-12)


def test_bootstrap_interval_holds_the_eer_and_narrows_with_speakers() -> None:
    widths = []
    for num_speakers in (10, 80):
        scores, labels, enroll, test = speaker_trials(num_speakers, 40, seed=5)
        statistics = {"eer": metrics.eer_of_points, "dcf": metrics.dcf_of_points(0.05)}
        found = metrics.bootstrap_by_speaker(scores, labels, speakers=(enroll, test), statistics=statistics)
        low, high = found["eer"]
        assert low < metrics.eer(scores, labels) < high
        assert found["dcf"][0] < metrics.min_dcf(scores, labels, 0.05) < found["dcf"][1]
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]


def test_bootstrap_is_seeded_and_quick() -> None:
    scores, labels, enroll, test = speaker_trials(50, 200, seed=6)

    def interval(seed: int) -> tuple[float, float]:
        statistics = {"eer": metrics.eer_of_points}
        return metrics.bootstrap_by_speaker(scores, labels, speakers=(enroll, test), statistics=statistics, seed=seed)[
            "eer"
        ]

    start = time.perf_counter()
    first = interval(1)
    assert time.perf_counter() - start < 10  # 1000 replicates of 10,000 trials; measured: 0.3 s
    assert interval(1) == first != interval(2)


def test_bootstrap_refuses_speakers_that_contradict_the_labels() -> None:
    statistics = {"eer": metrics.eer_of_points}
    with pytest.raises(ValueError, match="contradict"):
        metrics.bootstrap_by_speaker(
            [1, 0], [True, False], speakers=(["a", "a"], ["b", "b"]), statistics=statistics, replicates=5
        )


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_bootstrap_of_two_speakers_stays_finite(seed: int) -> None:
    """A replicate can lack non-target trials altogether; it must be left out, not become NaN."""
    found = metrics.bootstrap_by_speaker(
        [2.0, 1.5, 0.5, 1.8],
        [True, True, False, False],
        speakers=(["a", "b", "a", "b"], ["a", "b", "b", "a"]),
        statistics={"eer": metrics.eer_of_points},
        replicates=50,
        seed=seed,
    )
    assert np.isfinite(found["eer"]).all()
