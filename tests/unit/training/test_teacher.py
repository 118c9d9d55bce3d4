"""Teachers are asked once for every recording and speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.training.bank import change_speed
from edge_sv.training.corpus import read_corpus
from edge_sv.training.teacher import teacher_targets
from tests.corpora import write_wav

SPEEDS = (0.9, 1.0)


class Loudness:
    """A teacher of (length, level), length-normalized; notes what it heard."""

    def __init__(self, sha256: str = "1" * 64, *, sample_rate: int = 16000, dim: int = 2) -> None:
        self.model_sha256, self.features, self.dim = sha256, FeatureConfig(sample_rate=sample_rate, fmax_hz=3800), dim
        self.lengths: list[int] = []

    @property
    def heard(self) -> int:
        return len(self.lengths)

    def embed(self, pcm: np.ndarray) -> np.ndarray:
        self.lengths.append(len(pcm))
        if len(pcm) < 400:
            raise DataError("the recording is shorter than one analysis window")
        vector = np.array([len(pcm) / 16000, pcm.std() / 1000, 1][: self.dim], np.float32)
        return vector / np.linalg.norm(vector)


def targets(teachers: list[Loudness], corpus: Path, cache: Path, speeds: tuple[float, ...] = SPEEDS) -> np.ndarray:
    return teacher_targets(teachers, read_corpus(corpus), speeds, cache=cache, progress=lambda *told: None)


def test_every_recording_at_every_speed(corpus: Path, tmp_path: Path) -> None:
    found = targets([Loudness()], corpus, tmp_path)
    assert found.shape == (12, 2, 2) and found.dtype == np.float32
    recordings = [read_recording(utterance.path) for utterance in read_corpus(corpus)]
    heard = np.array([[Loudness().embed(change_speed(pcm, speed)) for speed in SPEEDS] for pcm in recordings])
    centred = heard - heard.mean(axis=(0, 1))
    np.testing.assert_allclose(found, centred / np.linalg.norm(centred, axis=-1, keepdims=True), rtol=1e-4)


def test_several_teachers_lie_side_by_side(corpus: Path, tmp_path: Path) -> None:
    one, two = Loudness(), Loudness("2" * 64, dim=3)
    together = targets([one, two], corpus, tmp_path)
    assert together.shape == (12, 2, 5)
    np.testing.assert_array_equal(together[..., 2:], targets([two], corpus, tmp_path))
    assert targets([], corpus, tmp_path).shape == (12, 2, 0)


def test_nobody_is_asked_twice(corpus: Path, tmp_path: Path) -> None:
    teacher = Loudness()
    first = targets([teacher], corpus, tmp_path)
    assert teacher.heard == 24
    np.testing.assert_array_equal(targets([teacher], corpus, tmp_path), first)
    assert teacher.heard == 24
    targets([teacher], corpus, tmp_path, (1.0,))
    assert teacher.heard == 36
    teacher.model_sha256 = "3" * 64
    targets([teacher], corpus, tmp_path)
    assert teacher.heard == 60


def test_a_teacher_hears_its_own_sample_rate(corpus: Path, tmp_path: Path) -> None:
    wide, narrow = (Loudness(str(rate) * 4, sample_rate=rate) for rate in (16000, 8000))
    targets([wide, narrow], corpus, tmp_path)
    np.testing.assert_allclose(narrow.lengths, np.array(wide.lengths) / 2, rtol=1e-3)


def test_what_a_teacher_cannot_use_is_named(tmp_path: Path) -> None:
    for name, length in (("a/x.wav", 4000), ("b/short.wav", 100)):
        write_wav(tmp_path / "corpus" / name, np.full(length, 0.1))
    with pytest.raises(DataError, match=r"b/short\.wav: the recording is shorter"):
        targets([Loudness()], tmp_path / "corpus", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_damaged_targets_are_told(corpus: Path, tmp_path: Path) -> None:
    targets([Loudness()], corpus, tmp_path)
    (file,) = tmp_path.glob("teacher-*/targets.npy")
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(DataError, match="is damaged"):
        targets([Loudness()], corpus, tmp_path)
