"""The device's arithmetic stays close to the desktop's front end, and refuses what no device can run."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.errors import UsageError
from edge_sv.frontend import fixed_point, float32
from edge_sv.frontend.constants import check_streamable, features_source, front_end_tables
from edge_sv.frontend.features import FeatureConfig, compute_features, mel_power
from edge_sv.frontend.on_device import device_frames
from edge_sv.system.array_types import Int16
from edge_sv.tflite.quantization import TensorFormat
from tests.nets import voices

CONFIG = FeatureConfig(mean_start=tuple(np.linspace(-2.0, -7.5, 80)))
GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)
PATHS = {"float": False, "fixed": True}


def _steps_from_desktop(recordings: Iterator[Int16], config: FeatureConfig, *, fixed: bool) -> np.ndarray:
    """Return how many steps of the int8 grid each value is away from the desktop's."""
    distances = []
    for pcm in recordings:
        desktop = GRID.quantize(compute_features(pcm, config)).astype(int)
        distances.append(np.abs(device_frames(pcm, config, GRID, fixed=fixed) - desktop).ravel())
    return np.concatenate(distances)


def _speech(folder: Path) -> Iterator[Int16]:
    """Read 24 recordings of the test split, from all corpora."""
    with (folder / "index.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test"]
    for place in np.linspace(0, len(rows) - 1, 24).astype(int):
        yield read_recording(folder / rows[place]["path"])[:48000]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("attenuation", [1, 16, 256])
def test_close_to_the_desktop_on_voices_loud_and_quiet(attenuation: int, path: str) -> None:
    recordings = (read_recording(voice)[:32000] // np.int16(attenuation) for voice in voices())
    steps = _steps_from_desktop(recordings, CONFIG, fixed=PATHS[path])
    assert np.mean(steps <= 1) >= 0.999
    assert np.mean(steps == 0) >= 0.98


@pytest.mark.parametrize("path", PATHS)
def test_close_to_the_desktop_on_real_speech(speech_data: Path, path: str) -> None:
    steps = _steps_from_desktop(_speech(speech_data), CONFIG, fixed=PATHS[path])
    assert len(steps) > 200_000
    assert np.mean(steps <= 1) >= 0.999
    assert np.mean(steps == 0) >= 0.98


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("horizon", [1, 30, 300])
def test_the_running_mean_is_the_desktops(horizon: int, path: str) -> None:
    config = dataclasses.replace(CONFIG, horizon_frames=horizon)
    for settings in (config, dataclasses.replace(config, mean_start=()), dataclasses.replace(config, prior_frames=0)):
        steps = _steps_from_desktop(iter([read_recording(voices()[0])]), settings, fixed=PATHS[path])
        assert np.mean(steps <= 1) >= 0.999


@pytest.mark.parametrize("path", PATHS)
def test_quiet_bands_beside_a_loud_tone_survive(path: str) -> None:
    time = np.arange(16000) / 16000
    random = np.random.default_rng(2)
    tone = 32000 * np.sin(2 * np.pi * 300 * time) + random.uniform(-0.5, 0.5, 16000)
    steps = _steps_from_desktop(iter([np.round(tone).astype(np.int16)]), CONFIG, fixed=PATHS[path])
    assert np.mean(steps <= 1) >= 0.999


def test_mel_powers_are_the_desktops() -> None:
    pcm = read_recording(voices()[1])[:16000]
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 400)[::160]
    desktop = mel_power(pcm, CONFIG)
    single = float32.mel_power(windows, front_end_tables(CONFIG, GRID, fixed=False)).T
    np.testing.assert_allclose(single, desktop, rtol=2e-4, atol=1e-8)
    tables = front_end_tables(CONFIG, GRID, fixed=True)
    unit = np.exp(int(tables.log_offset) / 2**24)
    powers, doublings = fixed_point.mel_power(windows, tables)
    fixed = (powers / 4.0**doublings).T * unit
    np.testing.assert_allclose(fixed, desktop, rtol=0.01, atol=1e-8)


def test_logarithms() -> None:
    random = np.random.default_rng(3)
    numbers = np.exp(random.uniform(-40, 40, 100_000)).astype(np.float32)
    assert np.abs(float32.log(numbers) - np.log(numbers.astype(np.float64))).max() < 8e-5
    integers = np.concatenate(
        [
            random.integers(1, 2**64, 50_000, dtype=np.uint64) >> random.integers(0, 50, 50_000, dtype=np.uint64),
            2 ** np.arange(64, dtype=np.uint64),
            2 ** np.arange(1, 64, dtype=np.uint64) - np.uint64(1),
            np.array([2**64 - 1], np.uint64),
        ]
    )
    exact = np.log(integers.astype(np.float64))
    assert np.abs(fixed_point.log_q24(integers) / 2**24 - exact)[integers > 2**14].max() < 1.3e-4


def test_no_sum_of_the_integer_path_leaves_its_bits() -> None:
    for config in (CONFIG, FeatureConfig(window_ms=32.0), FeatureConfig(window_ms=128, fft_size=2048)):
        tables = front_end_tables(config, GRID, fixed=True)
        length = config.window_length
        worst = [np.full(length, -32768), np.where(np.arange(length) % 2, 32767, -32768)]
        worst += [np.random.default_rng(1).choice([-32768, 32767], length)]
        weighted = [
            np.abs(pcm * tables.window[:length].astype(np.int64)) >> (tables.window_shift + 16) for pcm in worst
        ]
        assert max(part.sum() for part in weighted) < 2**31
        mels, _ = fixed_point.mel_power(np.array(worst, np.int16), tables)
        assert mels.max() < 2**63.9


@pytest.mark.parametrize("path", PATHS)
def test_a_recording_shorter_than_a_window_has_no_frames(path: str) -> None:
    frames = device_frames(np.zeros(399, np.int16), CONFIG, GRID, fixed=PATHS[path])
    assert frames.shape == (0, 80)


def test_what_needs_the_whole_recording_is_refused() -> None:
    with pytest.raises(UsageError, match="utterance_mean") as caught:
        check_streamable(FeatureConfig(normalization="utterance_mean"))
    assert "running_mean" in str(caught.value)


@pytest.mark.parametrize(
    ("config", "scale", "what"),
    [
        (FeatureConfig(sample_rate=192000, fft_size=8192), 0.05, "fft_size"),
        (FeatureConfig(horizon_frames=70000), 0.05, "horizon_frames"),
        (FeatureConfig(num_mels=1, mean_start=(float("nan"),)), 0.05, "mean_start"),
        (FeatureConfig(), 1e-5, "scale"),
        (FeatureConfig(), float("inf"), "scale"),
    ],
)
def test_what_the_c_code_cannot_hold_is_refused(config: FeatureConfig, scale: float, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        front_end_tables(config, TensorFormat((1, 1, 1, 1), scale, 0), fixed=False)


def test_the_source_is_the_same_every_time_and_carries_the_prefix() -> None:
    text = features_source(CONFIG, GRID, prefix="my_net")
    assert text == features_source(CONFIG, GRID, prefix="my_net")
    assert text.count("const esv_features_config my_net_features = {") == 2
    assert max(map(len, text.splitlines())) <= 120
