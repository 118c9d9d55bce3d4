"""The float32 path: close to exact arithmetic."""

from __future__ import annotations

import numpy as np

from edge_sv.audio.recording import read_recording
from edge_sv.frontend import float32
from edge_sv.frontend.constants import front_end_tables
from edge_sv.frontend.features import FeatureConfig, mel_power
from edge_sv.tflite.quantization import TensorFormat
from tests.nets import voices

CONFIG = FeatureConfig(mean_start=tuple(np.linspace(-2.0, -7.5, 80)))
GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)


def test_mel_powers_are_the_desktops() -> None:
    pcm = read_recording(voices()[1])[:16000]
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 400)[::160]
    desktop = mel_power(pcm, CONFIG)
    single = float32.mel_power(windows, front_end_tables(CONFIG, GRID, fixed=False)).T
    np.testing.assert_allclose(single, desktop, rtol=2e-4, atol=1e-8)


def test_logarithms() -> None:
    random = np.random.default_rng(3)
    numbers = np.exp(random.uniform(-40, 40, 100_000)).astype(np.float32)
    assert np.abs(float32.log(numbers) - np.log(numbers.astype(np.float64))).max() < 8e-5


def test_frames_do_not_depend_on_the_block_they_are_computed_in() -> None:
    pcm = read_recording(voices()[0])[:32000]
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 400)[::160]
    tables = front_end_tables(CONFIG, GRID, fixed=False)
    whole = float32.mel_power(windows, tables)
    single = np.concatenate([float32.mel_power(windows[n : n + 1], tables) for n in range(len(windows))], axis=1)
    np.testing.assert_array_equal(whole.view(np.int32), single.view(np.int32))
