"""Scores against the formulas written out, and a cohort's journey through bytes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.segments import normalize_length
from edge_sv.scoring.scores import Cohort, Scoring, as_norm, cosine, score_pair, score_trials


def random_embeddings(num: int, dim: int = 16, *, seed: int = 0) -> np.ndarray:
    return normalize_length(np.random.default_rng(seed).normal(size=(num, dim)).astype(np.float32))


def test_cosine() -> None:
    assert cosine(np.array([3, 4], np.float32), np.array([4, 3], np.float32)) == pytest.approx(24 / 25)
    assert cosine(np.array([1, 0], np.float32), np.array([-2, 0], np.float32)) == pytest.approx(-1)
    assert cosine(np.zeros(2, np.float32), np.array([1, 0], np.float32)) == 0


def test_as_norm_is_the_formula() -> None:
    a, b = random_embeddings(2, seed=1)
    cohort = Cohort(random_embeddings(30, seed=2))
    members = cohort.embeddings / np.linalg.norm(cohort.embeddings, axis=1, keepdims=True)
    sides = []
    for side in (a, b):
        nearest = np.sort(members @ side)[-7:]
        sides.append((a @ b - nearest.mean()) / nearest.std())
    assert as_norm(a, b, cohort=cohort, top_n=7) == pytest.approx(sum(sides) / 2, abs=1e-4)
    assert as_norm(a, b, cohort=cohort, top_n=7) == pytest.approx(
        as_norm(5 * b, 0.1 * a, cohort=cohort, top_n=7), abs=1e-4
    )


def test_a_whole_list_scores_like_its_pairs() -> None:
    embeddings = random_embeddings(12, seed=3)
    enroll, test = np.random.default_rng(4).integers(0, 12, (2, 50))
    cohort = Cohort(random_embeddings(40, seed=5))
    for kind in ("cosine", "as_norm"):
        scoring = Scoring(kind, threshold=0.0, false_accept_rate=0.01, top_n=9)
        whole = score_trials(embeddings, (enroll, test), kind=kind, cohort=cohort, top_n=9)
        single = [score_pair(embeddings[a], embeddings[b], scoring, cohort) for a, b in zip(enroll, test, strict=True)]
        np.testing.assert_allclose(whole, single, atol=1e-4)


def test_ten_thousand_trials_score_in_a_second() -> None:
    embeddings, cohort = random_embeddings(3000, 64), Cohort(random_embeddings(461, 64))
    pairs = np.random.default_rng(0).integers(0, 3000, (2, 10_000))
    start = time.perf_counter()
    score_trials(embeddings, (pairs[0], pairs[1]), kind="as_norm", cohort=cohort)
    assert time.perf_counter() - start < 1  # measured: 0.02 s


def test_a_small_or_degenerate_cohort_gives_finite_scores() -> None:
    a, b = random_embeddings(2, 4, seed=6)
    same = Cohort(np.tile(a, (3, 1)))
    assert np.isfinite(as_norm(a, b, cohort=same, top_n=100))


@given(st.integers(2, 30), st.integers(1, 40), st.floats(1e-3, 1e3), st.integers(0, 100))
def test_a_cohort_scores_the_same_after_a_file(num: int, dim: int, size: float, seed: int) -> None:
    given_values = (size * np.random.default_rng(seed).normal(size=(num, dim))).astype(np.float32)
    cohort = Cohort(given_values)
    data = cohort.to_bytes()
    again = Cohort.from_bytes(data)
    np.testing.assert_array_equal(again.embeddings, cohort.embeddings)
    assert again.to_bytes() == data
    np.testing.assert_allclose(cohort.embeddings, given_values, atol=np.abs(given_values).max() / 253)


def test_a_cohort_of_461_speakers_takes_less_than_30_kilobytes() -> None:
    assert len(Cohort(random_embeddings(461, 64)).to_bytes()) < 30_500


def test_a_damaged_cohort_is_refused() -> None:
    data = Cohort(random_embeddings(20)).to_bytes()
    for broken in (b"", b"nonsense", data[:40], data[: len(data) // 2], data[:-10]):
        with pytest.raises(DataError, match="damaged"):
            Cohort.from_bytes(broken)
    middle = len(data) // 2
    with pytest.raises(DataError, match="damaged"):
        Cohort.from_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])


@pytest.mark.parametrize("values", [np.zeros((3, 4)), np.ones((1, 4)), np.ones(4), np.full((3, 4), np.nan)])
def test_what_is_no_cohort_is_refused(values: np.ndarray) -> None:
    with pytest.raises(UsageError, match="cohort"):
        Cohort(values.astype(np.float32))


def test_as_norm_needs_a_cohort_that_fits() -> None:
    a, b = random_embeddings(2, 8)
    scoring = Scoring("as_norm", threshold=1.0, false_accept_rate=0.01)
    with pytest.raises(UsageError, match="needs a cohort"):
        score_pair(a, b, scoring)
    with pytest.raises(DataError, match="does not fit"):
        score_pair(a, b, scoring, Cohort(random_embeddings(5, 9)))


def test_scoring_goes_through_a_dict() -> None:
    scoring = Scoring("as_norm", threshold=2.5, false_accept_rate=0.01, top_n=50)
    assert Scoring.from_dict(scoring.to_dict()) == scoring
    for wrong in ({**scoring.to_dict(), "extra": 1}, {"kind": "cosine"}, {**scoring.to_dict(), "kind": "plda"}):
        with pytest.raises(DataError, match="scoring is damaged"):
            Scoring.from_dict(wrong)
    with pytest.raises(UsageError, match="impossible scoring"):
        Scoring("cosine", threshold=float("nan"), false_accept_rate=0.01)


@pytest.mark.parametrize(
    ("threshold", "rate", "top_n", "words"),
    [
        (np.inf, 0.01, 100, "the threshold must be a finite number, not inf"),
        (np.nan, None, 100, "the threshold must be a finite number, not nan"),
        (0.5, 1.5, 100, "between 0 and 1, not at 1.5"),
        (0.5, None, 1, "2 cohort speakers or more, not 1"),
    ],
)
def test_an_impossible_scoring_is_told_why(threshold: float, rate: float | None, top_n: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Scoring("cosine", threshold, rate, top_n)
