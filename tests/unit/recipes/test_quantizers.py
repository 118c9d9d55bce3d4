"""Quantizers: the values they choose, and that nearest values and least-squares scales are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.errors import UsageError
from edge_sv.recipes.quantizers import GRIDS, METHODS, make_grid, quantize

CASES = [(name, bits) for name in GRIDS for bits in METHODS[name].bits]


def make_weights(seed: int = 0, shape: tuple[int, int, int, int] = (3, 3, 16, 24)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * np.exp(rng.standard_normal(shape[-1]))).astype(np.float32)


def error_db(weights: np.ndarray, name: str, bits: int, *, per_channel: bool = False) -> float:
    rounded = quantize(weights, make_grid(name, weights, bits, per_channel=per_channel)).weights()
    return float(10 * np.log10(np.mean((weights - rounded) ** 2) / np.mean(weights**2)))


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_codebooks_are_ascending_int8_of_at_most_two_to_the_bits(name: str, bits: int) -> None:
    grid = make_grid(name, make_weights(), bits)
    assert grid.codebook.dtype == np.int8
    assert len(grid.codebook) <= 2**bits
    assert (np.diff(grid.codebook.astype(int)) > 0).all()


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_every_weight_gets_the_nearest_value(name: str, bits: int) -> None:
    weights = make_weights(1, (1, 1, 40, 3))
    grid = make_grid(name, weights, bits)
    rms = np.sqrt(np.mean(weights.astype(np.float64) ** 2, axis=(0, 1, 2)))
    normalized = weights / (grid.clip_ratio * rms)
    distances = np.abs(normalized[..., None] - grid.codebook / 127)
    chosen = np.take_along_axis(distances, quantize(weights, grid).indices[..., None].astype(np.int64), -1)[..., 0]
    np.testing.assert_allclose(chosen, distances.min(-1), atol=1e-7)


@pytest.mark.parametrize(("name", "bits"), CASES)
def test_no_other_scale_is_closer(name: str, bits: int) -> None:
    weights = make_weights(2)
    palette = quantize(weights, make_grid(name, weights, bits))
    best = np.sum((weights - palette.weights()) ** 2, axis=(0, 1, 2))
    for factor in (0.98, 1.02):
        other = np.sum((weights - factor * palette.weights()) ** 2, axis=(0, 1, 2))
        assert (other >= best - 1e-9).all()


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


def test_a_codebook_per_channel_follows_channels_of_different_shape() -> None:
    rng = np.random.default_rng(0)
    two_valued = rng.choice([-1.0, 0.2], (3, 3, 32, 1))
    normal = rng.standard_normal((3, 3, 32, 1))
    weights = np.concatenate([two_valued, normal], axis=-1).astype(np.float32)
    palette = quantize(weights, make_grid("kmeans", weights, 2, per_channel=True))
    assert palette.codebook.shape == (2, 4)
    assert error_db(weights, "kmeans", 2, per_channel=True) < error_db(weights, "kmeans", 2)


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


def test_what_is_refused() -> None:
    weights = make_weights()
    with pytest.raises(UsageError, match="did you mean 'kmeans'"):
        make_grid("k-means", weights, 4)
    with pytest.raises(UsageError, match="not 5"):
        make_grid("powers_of_two", weights, 5)
    with pytest.raises(UsageError, match="none per channel"):
        make_grid("uniform", weights, 4, per_channel=True)
