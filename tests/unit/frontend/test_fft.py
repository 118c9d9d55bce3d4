"""The device's FFT against numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.frontend.constants import front_end_tables
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.fft import Complex, add, half_length_transform, joins, subtract
from edge_sv.tflite.quantization import TensorFormat

GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)


def multiply(a: Complex, b: Complex) -> Complex:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
def test_it_is_numpy_s_transform_of_half_the_length(size: int) -> None:
    """Radix 4 throughout, or a first step of radix 2, by the length."""
    tables = front_end_tables(FeatureConfig(window_ms=25.0, fft_size=size), GRID, fixed=False)
    samples = np.random.default_rng(size).standard_normal((size, 3))
    re, im = half_length_transform(samples, tables, multiply)
    wanted = np.fft.fft(samples[::2] + 1j * samples[1::2], axis=0)
    np.testing.assert_allclose(re + 1j * im, wanted, atol=2e-5)


def test_factors_of_the_join() -> None:
    tables = front_end_tables(FeatureConfig(), GRID, fixed=False)
    cosine, sine = joins(tables)
    size = tables.size
    wanted = np.exp(-2j * np.pi * np.arange(1, size // 4) / size)
    np.testing.assert_allclose((cosine + 1j * sine)[:, 0], wanted, atol=1e-7)


def test_sums() -> None:
    a, b = (np.array([1.0]), np.array([2.0])), (np.array([10.0]), np.array([-4.0]))
    assert [part.item() for part in (*add(a, b), *subtract(a, b))] == [11.0, -2.0, -9.0, 6.0]
