"""The constants of the device's front end, as numbers and as C."""

from __future__ import annotations

import re
from dataclasses import fields as fields_of
from dataclasses import replace

import numpy as np
import pytest

from edge_sv.errors import UsageError
from edge_sv.frontend.constants import (
    LOG_BITS,
    SCALE_BITS,
    WEIGHT_BITS,
    check_streamable,
    features_source,
    front_end_tables,
)
from edge_sv.frontend.features import LOG_FLOOR, FeatureConfig, hann_window, mel_filterbank
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
        (FeatureConfig(sample_rate=1000, window_ms=8, fft_size=8, num_mels=1, fmax_hz=500.0), 0.05, "fft_size"),
        (FeatureConfig(horizon_frames=65536), 0.05, "horizon_frames"),
        (FeatureConfig(hop_ms=4096.0), 0.05, "hops"),
        (FeatureConfig(num_mels=1, mean_start=(64.1,)), 0.05, "mean_start"),
        (FeatureConfig(), 1 / 257, "scale"),
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


# --- formats ---------------------------------------------------------------------------------------------------------

SHAPES = {
    "16 kHz": CONFIG,
    "8 kHz": FeatureConfig(sample_rate=8000, fft_size=256, num_mels=40, fmax_hz=3800.0),
    "window of a power of two": FeatureConfig(window_ms=128.0, fft_size=2048),
    "longest FFT": FeatureConfig(window_ms=256.0, fft_size=4096, num_mels=128),
    "shortest FFT": FeatureConfig(
        sample_rate=1000, window_ms=15.0, fft_size=16, num_mels=2, fmin_hz=0.0, fmax_hz=500.0
    ),
}


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_samples_have_as_many_bits_as_sums_in_the_transform_leave(config: FeatureConfig) -> None:
    """One more would let the loudest samples' sum leave 32 bits; the power of a band has as many as 64 bits leave."""
    tables = front_end_tables(config, GRID, fixed=True)
    window, fraction = hann_window(config.window_length).astype(np.float64), 15 - tables.window_shift
    largest = 2.0 ** (15 + fraction) * max(window.sum(), 2 * window[::2].sum(), 2 * window[1::2].sum())
    assert largest < 2**31 - 2**16 and (2 * largest > 2**31 - 2**16 or fraction == 15)
    energy = config.fft_size / 2 * np.sum(window**2) * 2.0 ** (2 * (15 + fraction) + WEIGHT_BITS - tables.power_shift)
    assert energy < 2**64 and (energy > 2**62.9 or tables.power_shift == 0)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_logarithms_of_the_integer_path_are_those_of_samples_up_to_1(config: FeatureConfig) -> None:
    tables = front_end_tables(config, GRID, fixed=True)
    bits = 2 * (30 - tables.window_shift) - tables.power_shift + WEIGHT_BITS
    assert int(tables.log_offset) / 2**LOG_BITS == pytest.approx(-bits * np.log(2), abs=1e-7)
    assert tables.floor - 1 < LOG_FLOOR * 2.0**bits <= tables.floor
    single = front_end_tables(config, GRID, fixed=False)
    assert (single.log_offset, single.floor) == (0, np.float32(LOG_FLOOR))
    assert (single.window_shift, single.power_shift) == (0, 0)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_integers_are_the_numbers_in_their_formats(config: FeatureConfig) -> None:
    fixed, single = (front_end_tables(config, GRID, fixed=path) for path in (True, False))
    steps = np.arange(1, config.fft_size // 8)[:, None] * np.array([1, 2, 3]) * 2
    for numbers, exact in ((fixed.turns, steps), (fixed.joins, np.arange(1, config.fft_size // 4))):
        turned = np.exp(-2j * np.pi * exact / config.fft_size)
        np.testing.assert_allclose(numbers[..., 0] / 2.0**31 + 1j * numbers[..., 1] / 2.0**31, turned, atol=2.0**-30)
    for name, bits in (("rising", WEIGHT_BITS), ("mean_start", LOG_BITS), ("inverse_scale", SCALE_BITS)):
        wanted = np.asarray(getattr(single, name), np.float64)
        np.testing.assert_allclose(np.asarray(getattr(fixed, name)) / 2.0**bits, wanted, rtol=1e-7, atol=2.0**-bits)
    assert fixed.rising.size == single.segment_bins.sum() > 0


@pytest.mark.parametrize(
    ("changes", "prior", "horizon"),
    [
        ({}, 50, 300),
        ({"horizon_frames": 30}, 30, 30),
        ({"prior_frames": 0}, 0, 300),
        ({"mean_start": ()}, 0, 300),
        ({"normalization": "none"}, 0, 0),
    ],
)
def test_frames_that_a_mean_counts(changes: dict[str, object], prior: int, horizon: int) -> None:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    for path in (False, True):
        tables = front_end_tables(config, GRID, fixed=path)
        assert (tables.prior_frames, tables.horizon_frames) == (prior, horizon)
        assert tables.mean_start.shape == (80,) and tables.mean_start.any() == bool(config.mean_start)


@pytest.mark.parametrize(
    "config",
    [
        FeatureConfig(sample_rate=48000, fft_size=4096),
        FeatureConfig(sample_rate=1000, window_ms=16.0, fft_size=16, num_mels=1, fmax_hz=500.0),
        FeatureConfig(horizon_frames=65535),
        FeatureConfig(hop_ms=65535 / 16),
        FeatureConfig(num_mels=2, mean_start=(-64.0, 64.0)),
    ],
)
def test_the_largest_that_the_c_code_holds(config: FeatureConfig) -> None:
    check_streamable(config, TensorFormat((1, 1, 1, 1), 1 / 256, 0))


# --- C ---------------------------------------------------------------------------------------------------------------

ARRAY = re.compile(r"^static const (\w+) p_(\w+)\[\](\S*) = \{\n(.*?)\n\};$", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(r"^ +(-?[\d.e-]+)f?, /\* (\w+) \*/$", re.MULTILINE)
NUMBER = re.compile(r"(-?\d[\d.]*(?:e[+-]?\d+)?)(f?)")


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_the_c_source_holds_every_number_to_the_bit(config: FeatureConfig) -> None:
    text = features_source(config, GRID, prefix="p")
    for path, half in zip((True, False), text.split("#else"), strict=True):
        tables = front_end_tables(config, GRID, fixed=path)
        arrays, members = ARRAY.findall(half), MEMBER.findall(half)
        assert len(arrays) == 7
        for _, name, extents, body in arrays:
            wanted = np.asarray(getattr(tables, name))
            numbers = NUMBER.findall(body)
            np.testing.assert_array_equal(np.array([number for number, _ in numbers], wanted.dtype), wanted.ravel())
            assert {suffix for _, suffix in numbers} == {"f" if wanted.dtype == np.float32 else ""}
            assert extents == ("[3]" if name == "turns" else "")
        for number, name in members:
            assert type(getattr(tables, name))(number) == pytest.approx(getattr(tables, name), rel=1e-9), name
        fields = {field.name for field in fields_of(tables)} - {"fixed"}
        assert {name for *_, name in members} | {name for _, name, *_ in arrays} == fields
