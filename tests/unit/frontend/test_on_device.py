"""The device's arithmetic stays close to the desktop's front end, and refuses what no device can run."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.frontend.features import FeatureConfig, compute_features
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


@pytest.mark.parametrize("path", PATHS)
def test_a_recording_shorter_than_a_window_has_no_frames(path: str) -> None:
    frames = device_frames(np.zeros(399, np.int16), CONFIG, GRID, fixed=PATHS[path])
    assert frames.shape == (0, 80)
