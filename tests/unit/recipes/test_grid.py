"""Grids: every weight gets the nearest value, every channel the scale that is closest, whatever the codebook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.recipes.grid import CLIP_RATIOS, Grid, normalize_channels, quantize, round_values, stretch_codebook
from tests.unit.recipes.conftest import make_weights

CODEBOOK = np.array([-127, -30, 0, 11, 80], np.int8)
ROWS = np.array([[-127, -10, 5], [-60, 60, 60]], np.int8)


def values_of(grid: Grid, channels: int) -> np.ndarray:
    """The codebook of each channel, (channels, entries)."""
    return np.broadcast_to(grid.codebook.astype(float) / 127, (channels, grid.codebook.shape[-1]))


@pytest.mark.parametrize("grid", [Grid(3, CODEBOOK, 2.5), Grid(2, ROWS, 1.5)], ids=["layer", "channel"])
def test_every_weight_gets_the_nearest_value(grid: Grid) -> None:
    weights = make_weights(1, (1, 1, 40, 2))
    rms = np.sqrt(np.mean(weights.astype(np.float64) ** 2, axis=(0, 1, 2)))
    distances = np.abs((weights / (grid.clip_ratio * rms))[..., None] - values_of(grid, 2))
    chosen = np.take_along_axis(distances, quantize(weights, grid).indices[..., None].astype(np.int64), -1)[..., 0]
    np.testing.assert_allclose(chosen, distances.min(-1), atol=1e-7)


@pytest.mark.parametrize("grid", [Grid(3, CODEBOOK, 2.5), Grid(2, ROWS, 1.5)], ids=["layer", "channel"])
def test_no_other_scale_is_closer(grid: Grid) -> None:
    weights = make_weights(2, (3, 3, 16, 2))
    palette = quantize(weights, grid)
    best = np.sum((weights - palette.weights()) ** 2, axis=(0, 1, 2))
    for factor in (0.98, 1.02):
        other = np.sum((weights - factor * palette.weights()) ** 2, axis=(0, 1, 2))
        assert (other >= best - 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-12, 1e12))
def test_any_scale_and_a_channel_of_zeros(seed: int, factor: float) -> None:
    weights = (make_weights(seed, (1, 3, 4, 3)) * factor).astype(np.float32)
    weights[..., 1] = 0
    rounded = quantize(weights, Grid(3, CODEBOOK, 2.5)).weights()
    assert np.isfinite(rounded).all()
    assert not rounded[..., 1].any()
    assert np.linalg.norm(rounded - weights) <= np.linalg.norm(weights) * (1 + 1e-6)


def test_channels_are_normalized_by_themselves() -> None:
    weights = make_weights(3, (3, 3, 8, 5))
    weights[..., 2] = 0
    normalized = normalize_channels(weights)
    assert normalized.shape == (72, 5)
    np.testing.assert_allclose(np.sqrt(np.mean(normalized**2, axis=0)), [1, 1, 0, 1, 1], rtol=1e-6)


def test_float_values_become_the_nearest_codes() -> None:
    grid = round_values(np.array([-1.0, 0.25, 2.0]), 2)
    assert (grid.bits, grid.codebook.tolist(), grid.clip_ratio) == (2, [-64, 16, 127], 2.0)
    assert round_values(np.array([0.1, 0.1001, 2.0]), 2).codebook.tolist() == [6, 127], "equal codes are one entry"
    assert np.isfinite(round_values(np.zeros(1), 1).clip_ratio)


def test_a_codebook_is_stretched_to_the_least_error() -> None:
    normalized, codebook = normalize_channels(make_weights(4)), np.array([-127, -64, 0, 64, 127])

    def error(clip_ratio: float) -> float:
        distances = np.abs(normalized[..., None] - clip_ratio * codebook / 127)
        return float(np.sum(distances.min(axis=-1) ** 2))

    found = stretch_codebook(normalized, 3, codebook).clip_ratio
    assert error(found) <= min(error(ratio) for ratio in CLIP_RATIOS) * (1 + 1e-9)
