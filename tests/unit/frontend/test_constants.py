"""The constants of the device's front end, as numbers and as C."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.errors import UsageError
from edge_sv.frontend.constants import check_streamable, features_source, front_end_tables
from edge_sv.frontend.features import FeatureConfig, hann_window, mel_filterbank
from edge_sv.tflite.quantization import TensorFormat

CONFIG = FeatureConfig(mean_start=tuple(np.linspace(-2.0, -7.5, 80)))
GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)


def test_what_needs_the_whole_recording_is_refused() -> None:
    with pytest.raises(UsageError, match="utterance_mean") as caught:
        check_streamable(FeatureConfig(normalization="utterance_mean"))
    assert "running_mean" in str(caught.value)


@pytest.mark.parametrize(
    ("config", "scale", "what"),
    [
        (FeatureConfig(sample_rate=192000, fft_size=8192), 0.05, "fft_size"),
        (FeatureConfig(horizon_frames=70000), 0.05, "horizon_frames"),
        (FeatureConfig(num_mels=1, mean_start=(65.0,)), 0.05, "mean_start"),
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


def test_the_window_is_the_desktop_s_in_both_formats() -> None:
    window = hann_window(400).astype(np.float64)
    fixed, single = (front_end_tables(CONFIG, GRID, fixed=path).window[:400] for path in (True, False))
    np.testing.assert_allclose(fixed / 2.0**31, window, atol=2.0**-31)
    np.testing.assert_allclose(single * 2.0**16, window, rtol=1e-7)


@pytest.mark.parametrize("size", [512, 1024, 4096])
def test_twiddle_factors_have_length_1_and_the_order_is_a_permutation(size: int) -> None:
    config = FeatureConfig(window_ms=25.0, fft_size=size)
    tables = front_end_tables(config, GRID, fixed=False)
    for factors in (tables.turns, tables.joins):
        np.testing.assert_allclose(np.hypot(factors[..., 0], factors[..., 1]), 1, atol=1e-7)
    places = (tables.order[:, None] + np.arange(tables.first_radix)).ravel()
    assert sorted(places) == list(range(size // 2))


def test_rising_and_falling_weights_are_the_desktop_s_filters() -> None:
    tables = front_end_tables(CONFIG, GRID, fixed=False)
    wanted = mel_filterbank(16000, 512, CONFIG.num_mels, CONFIG.fmin_hz, CONFIG.fmax_hz)
    got = np.zeros_like(wanted, dtype=np.float64)
    place = 0
    for segment, count in enumerate(tables.segment_bins.tolist()):
        for _ in range(count):
            rising = float(tables.rising[place])
            column = tables.first_bin + place
            if segment < CONFIG.num_mels:
                got[column, segment] = rising
            if segment:
                got[column, segment - 1] = 1 - rising
            place += 1
    np.testing.assert_allclose(got, wanted, atol=1e-6)
