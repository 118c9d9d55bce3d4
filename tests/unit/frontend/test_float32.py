"""The float32 path: close to exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.frontend import float32
from edge_sv.frontend.constants import front_end_tables
from edge_sv.frontend.features import LOG_FLOOR, FeatureConfig, mel_power
from edge_sv.tflite.quantization import TensorFormat
from tests.exact_features import CASES, GRID, START, count_wrong, signals, windows_of
from tests.nets import voices

CONFIG = FeatureConfig(mean_start=START)


@pytest.mark.parametrize("name", signals())
def test_mel_powers_are_the_desktops(name: str) -> None:
    pcm = signals()[name]
    single = float32.mel_power(windows_of(pcm), front_end_tables(CONFIG, GRID, fixed=False)).T
    np.testing.assert_allclose(single, mel_power(pcm, CONFIG), rtol=2e-4, atol=1e-8)


def test_logarithms() -> None:
    random = np.random.default_rng(3)
    numbers = np.exp(random.uniform(-40, 40, 100_000)).astype(np.float32)
    assert np.abs(float32.log(numbers) - np.log(numbers.astype(np.float64))).max() < 8e-5


@pytest.mark.parametrize("case", CASES)
def test_mean_and_grid_are_exact_but_for_halves(case: str) -> None:
    config, grid = CASES[case]
    tables = front_end_tables(config, grid, fixed=False)
    windows = windows_of(np.concatenate(list(signals().values())))
    levels = float32.log(np.maximum(float32.mel_power(windows, tables).T, np.float32(LOG_FLOOR)))
    frames = float32.quantized(windows, tables)
    assert count_wrong(frames, levels.astype(np.float64), config, grid, doubt=2e-3) == 0


def test_halves_are_rounded_away_from_zero() -> None:
    grid = TensorFormat((1, 1, 80, 1), 0.5, 3)
    halves = (np.arange(-12, 13) / 4).astype(np.float32)
    rounded = float32._quantize(halves, front_end_tables(CONFIG, grid, fixed=False))
    np.testing.assert_array_equal(rounded, grid.quantize(halves))


def test_frames_do_not_depend_on_the_block_they_are_computed_in() -> None:
    windows = windows_of(read_recording(voices()[0])[:32000])
    tables = front_end_tables(CONFIG, GRID, fixed=False)
    whole = float32.mel_power(windows, tables)
    single = np.concatenate([float32.mel_power(windows[n : n + 1], tables) for n in range(len(windows))], axis=1)
    np.testing.assert_array_equal(whole.view(np.int32), single.view(np.int32))
