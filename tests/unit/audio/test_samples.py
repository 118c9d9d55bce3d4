"""Sound as a file, as int16 and as floats is the same recording; what is no recording is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.audio.recording import read_recording
from edge_sv.audio.samples import as_pcm
from edge_sv.errors import DataError, UsageError

PCM = np.random.default_rng(0).integers(-20000, 20000, 3000).astype(np.int16)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", PCM, 16000)
    return tmp_path / "a.wav"


def tone(rate: int, *, hertz: float = 440, seconds: float = 0.5) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def test_a_file_integers_and_floats_are_the_same_samples(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(wav.parent))
    for audio in (wav, str(wav), "~/a.wav", PCM, PCM / 32768, (PCM / 32768).astype(np.float32)):
        found = as_pcm(audio)
        assert found.dtype == np.int16
        np.testing.assert_array_equal(found, PCM)


def test_full_scale_saturates_and_the_array_is_left_as_it_is() -> None:
    floats = np.array([1.0, -1.0, 0.5, 1 / 32768, 0.4 / 32768], np.float32)
    before = floats.copy()
    np.testing.assert_array_equal(as_pcm(floats), [32767, -32768, 16384, 1, 0])
    np.testing.assert_array_equal(floats, before)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_another_rate_is_resampled(rate: int, kind: type) -> None:
    scale = 32767 if kind is np.int16 else 1
    found = as_pcm((scale * tone(rate)).astype(kind), source_rate=rate)
    wanted = 32768 * tone(16000)
    assert len(found) == len(wanted)
    inner = slice(400, -400)
    assert np.abs(found[inner] - wanted[inner]).max() < 20


def test_the_file_s_own_rate_is_resampled_alike(tmp_path: Path) -> None:
    samples = tone(48000).astype(np.float32)
    soundfile.write(tmp_path / "fast.wav", samples, 48000, subtype="FLOAT")
    difference = read_recording(tmp_path / "fast.wav").astype(int) - as_pcm(samples, source_rate=48000)
    assert np.abs(difference).max() <= 1
    assert len(as_pcm(tmp_path / "fast.wav", sample_rate=8000)) == 4000


def test_the_wanted_rate_changes_nothing() -> None:
    np.testing.assert_array_equal(as_pcm(PCM, sample_rate=8000, source_rate=8000), PCM)
    assert len(as_pcm(np.zeros(0), source_rate=8000)) == 0


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (np.zeros((2, 16000)), r"has shape \(2, 16000\)"),
        (np.zeros((16000, 1), np.int16), r"has shape \(16000, 1\)"),
        (np.zeros(16000, np.int32), "these are int32"),
        (np.zeros(16000, np.uint8), "these are uint8"),
        (np.zeros(16000, np.complex64), "these are complex64"),
        (np.full(16000, 3000.0), "the largest here is 3000"),
        ([0.0] * 16000, "not list"),
        (b"RIFF", "not bytes"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_recording_is_refused_in_words(audio: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        as_pcm(audio)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="NaN or infinite"):
        as_pcm(np.array([0.0, value, 0.0]))


@pytest.mark.parametrize("rate", [0, -16000])
def test_a_rate_is_positive(rate: int) -> None:
    with pytest.raises(UsageError, match=f"not {rate}"):
        as_pcm(PCM, source_rate=rate)


@pytest.mark.parametrize("convert", [Path, str])
def test_a_file_says_its_own_rate(wav: Path, convert: Callable[[Path], Path | str]) -> None:
    with pytest.raises(UsageError, match="says its own sample rate"):
        as_pcm(convert(wav), source_rate=48000)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*gone\.wav"):
        as_pcm(tmp_path / "gone.wav")
