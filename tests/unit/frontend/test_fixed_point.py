"""The integer path: close to exact arithmetic, and never out of its bits."""

from __future__ import annotations

import numpy as np

from edge_sv.audio.recording import read_recording
from edge_sv.frontend import fixed_point
from edge_sv.frontend.constants import front_end_tables
from edge_sv.frontend.features import FeatureConfig, mel_power
from edge_sv.tflite.quantization import TensorFormat
from tests.nets import voices

CONFIG = FeatureConfig(mean_start=tuple(np.linspace(-2.0, -7.5, 80)))
GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)


def test_mel_powers_are_the_desktops() -> None:
    pcm = read_recording(voices()[1])[:16000]
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 400)[::160]
    tables = front_end_tables(CONFIG, GRID, fixed=True)
    unit = np.exp(int(tables.log_offset) / 2**24)
    powers, doublings = fixed_point.mel_power(windows, tables)
    fixed = (powers / 4.0**doublings).T * unit
    np.testing.assert_allclose(fixed, mel_power(pcm, CONFIG), rtol=0.01, atol=1e-8)


def test_logarithms() -> None:
    random = np.random.default_rng(3)
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
