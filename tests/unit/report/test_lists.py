"""Lists of all corpora as one, and curves with few points that are still the same curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.report.det import to_deviates
from edge_sv.report.lists import DET_POINTS, POOLED, find_lists, thin_curve
from edge_sv.scoring import metrics
from tests.described_corpora import write_described


def scores(distance: float, *, count: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    labels = np.arange(count) < count // 10
    return generator.normal(size=count) + distance * labels, labels


def test_a_thinned_curve_keeps_its_shape() -> None:
    values, labels = scores(2.5)
    points = metrics.det_points(values, labels)
    curve = thin_curve(points)
    miss, false_accept = (np.array(curve[side]) for side in ("miss", "false_accept"))
    assert 50 < len(miss) <= DET_POINTS
    inside = (points.miss < 0.65) & (points.false_accept < 0.65) & (points.miss > 0) & (points.false_accept > 0)
    whole, thin = (
        np.stack([to_deviates(np.asarray(side)) for side in sides])
        for sides in ((points.miss[inside], points.false_accept[inside]), (miss, false_accept))
    )
    distances = np.abs(whole[:, :, None] - thin[:, None, :]).max(axis=0).min(axis=1)
    assert distances.max() < 0.1, "every point of the curve is near one that was kept"
    order = np.argsort(miss, kind="stable")
    crossing = np.interp(0, (miss - false_accept)[order], miss[order])
    assert crossing == pytest.approx(metrics.eer(values, labels), abs=0.002)


def test_a_separated_list_has_a_curve() -> None:
    curve = thin_curve(metrics.det_points([3.0, 2.0, 1.0, 0.0], [True, True, False, False]))
    assert len(curve["miss"]) == len(curve["false_accept"]) >= 1


def corpora(folder: Path) -> Path:
    for corpus in ("aa", "bb"):
        rows = [{"speaker": f"s{n}", "tones": f"{20 + n}"} for n in range(2) for _ in range(2)]
        write_described(folder, rows, corpus=corpus)
        (folder / corpus / "trials_test.txt").write_text("1 s0/r0.wav s0/r1.wav\n0 s0/r0.wav s1/r2.wav\n")
    return write_described(folder, [{"speaker": "t", "tones": "20"}], corpus="tt", split="train")


def test_all_lists_are_pooled_and_speakers_of_two_corpora_are_two(tmp_path: Path) -> None:
    lists = find_lists(corpora(tmp_path))
    assert [each.name for each in lists] == ["aa", "bb", POOLED]
    pooled = lists[-1]
    assert len(pooled.trials) == 4 and len(pooled.recordings.files) == 6
    assert set(pooled.recordings.speakers.values()) == {"aa/s0", "aa/s1", "bb/s0", "bb/s1"}
    assert pooled.recordings.files["bb/s0/r0.wav"] == (tmp_path / "bb" / "s0" / "r0.wav",)


def test_no_list_is_an_error_that_says_where(tmp_path: Path) -> None:
    index = write_described(tmp_path, [{"speaker": "t", "tones": "20"}], corpus="tt", split="train")
    with pytest.raises(DataError, match="no test list beside it"):
        find_lists(index)
