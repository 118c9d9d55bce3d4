"""The integer path: close to exact arithmetic, and never out of its bits."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.audio.recording import read_recording
from edge_sv.frontend import fixed_point
from edge_sv.frontend.constants import front_end_tables
from edge_sv.frontend.features import FeatureConfig, log_mel, mel_power
from edge_sv.frontend.fft import half_length_transform
from edge_sv.tflite.quantization import TensorFormat
from tests.exact_features import CASES, GRID, START, count_wrong, signals, windows_of
from tests.nets import voices

CONFIG = FeatureConfig(mean_start=START)


def test_mel_powers_are_the_desktops() -> None:
    pcm = read_recording(voices()[1])[:16000]
    tables = front_end_tables(CONFIG, GRID, fixed=True)
    unit = np.exp(int(tables.log_offset) / 2**24)
    powers, doublings = fixed_point.mel_power(windows_of(pcm), tables)
    fixed = (powers / 4.0**doublings).T * unit
    np.testing.assert_allclose(fixed, mel_power(pcm, CONFIG), rtol=0.01, atol=1e-8)


@pytest.mark.parametrize("loudness", [4, 10, 19])
@pytest.mark.parametrize("size", [16, 32, 256, 512, 1024, 4096])
def test_the_transform_is_numpy_s_but_for_rounding(size: int, loudness: int) -> None:
    """Products are rounded down, which adds up along the length in the lowest bins, whatever the samples are."""
    config = FeatureConfig(sample_rate=4000, window_ms=4.0, hop_ms=4.0, fft_size=size, num_mels=1, fmax_hz=2000.0)
    tables = front_end_tables(config, GRID, fixed=True)
    samples = np.random.default_rng(size).integers(-(2**loudness), 2**loudness, (size, 3))
    re, im = half_length_transform(samples, tables, fixed_point._multiply)
    assert re.dtype == im.dtype == np.int64
    exact = np.fft.fft(samples[::2] + 1j * samples[1::2], axis=0)
    assert np.abs(re + 1j * im - exact).max() < size / 6 + 8


def test_logarithms() -> None:
    random = np.random.default_rng(3)
    integers = np.concatenate(
        [
            np.arange(1, 1 << 15, dtype=np.uint64),
            random.integers(1, 2**64, 50_000, dtype=np.uint64) >> random.integers(0, 50, 50_000, dtype=np.uint64),
            2 ** np.arange(64, dtype=np.uint64),
            2 ** np.arange(1, 64, dtype=np.uint64) - np.uint64(1),
            np.array([2**64 - 1], np.uint64),
        ]
    )
    exact = np.log(integers.astype(np.float64))
    assert np.abs(fixed_point.log_q24(integers) / 2**24 - exact).max() < 1e-4


@pytest.mark.parametrize("name", signals())
def test_levels_are_the_desktop_s_for_every_loudness(name: str) -> None:
    """Samples are doubled before the transform where they are quiet, which the logarithm and its floor take back."""
    pcm = signals()[name]
    levels = fixed_point._levels(windows_of(pcm), front_end_tables(CONFIG, GRID, fixed=True)) / 2**24
    np.testing.assert_allclose(levels, log_mel(pcm, CONFIG), rtol=0, atol=4e-3)


@pytest.mark.parametrize("case", CASES)
def test_mean_and_grid_are_exact_but_for_halves(case: str) -> None:
    config, grid = CASES[case]
    tables = front_end_tables(config, grid, fixed=True)
    windows = windows_of(np.concatenate(list(signals().values())))
    levels = fixed_point._levels(windows, tables) / 2.0**24
    frames = fixed_point.quantized(windows, tables)
    assert count_wrong(frames, levels, config, grid, doubt=2e-3) == 0


def test_halves_are_rounded_away_from_zero() -> None:
    grid = TensorFormat((1, 1, 80, 1), 0.5, 3)
    halves = np.arange(-12, 13) / 4
    values = np.round(halves * 2**24).astype(np.int64)
    rounded = fixed_point._quantize(values, front_end_tables(CONFIG, grid, fixed=True))
    np.testing.assert_array_equal(rounded, grid.quantize(halves.astype(np.float32)))


def test_frames_do_not_depend_on_the_block_they_are_computed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = windows_of(read_recording(voices()[0])[:32000])
    tables = front_end_tables(CONFIG, GRID, fixed=True)
    assert len(windows) % fixed_point._BLOCK_FRAMES and len(windows) > 2 * fixed_point._BLOCK_FRAMES
    whole = fixed_point.quantized(windows, tables)
    monkeypatch.setattr(fixed_point, "_BLOCK_FRAMES", 7)
    np.testing.assert_array_equal(fixed_point.quantized(windows, tables), whole)


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
