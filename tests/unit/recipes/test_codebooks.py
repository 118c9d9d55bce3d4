"""Codebooks: the values that each quantizer chooses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import GRIDS, METHODS, make_grid
from tests.unit.recipes.conftest import make_weights

CASES = [(name, bits) for name in GRIDS for bits in METHODS[name].bits]


def error_db(weights: np.ndarray, name: str, bits: int) -> float:
    rounded = quantize(weights, make_grid(name, weights, bits)).weights()
    return float(10 * np.log10(np.mean((weights - rounded) ** 2) / np.mean(weights**2)))


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_codebooks_are_ascending_int8_of_at_most_two_to_the_bits(name: str, bits: int) -> None:
    grid = make_grid(name, make_weights(), bits)
    assert grid.codebook.dtype == np.int8
    assert len(grid.codebook) <= 2**bits
    assert (np.diff(grid.codebook.astype(int)) > 0).all()


def test_uniform_values_are_multiples_that_fit_their_bits() -> None:
    for bits in (2, 3, 4):
        codebook = make_grid("uniform", make_weights(), bits).codebook.astype(int)
        step = np.gcd.reduce(codebook)
        assert (codebook // step).tolist() == list(range(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1)))


def test_powers_of_two_are_powers_of_two() -> None:
    assert make_grid("powers_of_two", make_weights(), 3).codebook.tolist() == [-64, -32, -16, 0, 16, 32, 64]
    assert make_grid("powers_of_two", make_weights(), 4).codebook.tolist()[8:] == [1, 2, 4, 8, 16, 32, 64]


def test_kmeans_reaches_the_best_quantizer_of_normal_numbers() -> None:
    """J. Max, Quantizing for Minimum Distortion, 1960, table I: distortions of the optimal quantizers."""
    weights = np.random.default_rng(0).standard_normal((3, 3, 64, 128)).astype(np.float32)
    for bits, distortion in ((1, 0.3634), (2, 0.1175), (3, 0.03454), (4, 0.009497)):
        assert error_db(weights, "kmeans", bits) == pytest.approx(10 * np.log10(distortion), abs=0.12)


def test_learned_values_lose_less_than_given_ones() -> None:
    weights = make_weights()
    assert error_db(weights, "kmeans", 4) < error_db(weights, "uniform", 4) < error_db(weights, "powers_of_two", 4)
    skewed = np.abs(weights)
    assert error_db(skewed, "binary_adaptive", 1) < error_db(skewed, "binary_static", 1) - 3


def test_binary_static_is_the_sign_and_the_mean_magnitude() -> None:
    weights = make_weights(3)
    rounded = quantize(weights, make_grid("binary_static", weights, 1)).weights()
    wanted = np.where(weights < 0, -1, 1) * np.abs(weights).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(rounded, wanted, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CASES), st.integers(0, 1000), st.floats(1e-12, 1e12))
def test_any_scale_and_a_channel_of_zeros(case: tuple[str, int], seed: int, factor: float) -> None:
    weights = (make_weights(seed, (1, 3, 4, 3)) * factor).astype(np.float32)
    weights[..., 1] = 0
    rounded = quantize(weights, make_grid(case[0], weights, case[1])).weights()
    assert np.isfinite(rounded).all()
    assert not rounded[..., 1].any()
    assert np.linalg.norm(rounded - weights) <= np.linalg.norm(weights) * (1 + 1e-6)
