"""The table of methods: what each entry promises, and what `make_grid` refuses."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.errors import UsageError
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import GRIDS, METHODS, STRAIGHT_THROUGH, make_grid
from tests.unit.recipes.conftest import make_weights


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_is_consistent(name: str) -> None:
    method = METHODS[name]
    assert method.bits and set(method.bits) <= set(range(1, 9))
    assert method.description and not method.description.endswith(".")
    assert (method.grid is None) == (method.trainer != STRAIGHT_THROUGH), "a grid is trained straight through"
    assert not method.learned or method.grid is not None, "a codebook for each channel is a grid's"


@pytest.mark.parametrize("name", GRIDS)
def test_learned_values_alone_depend_on_the_shape_of_the_distribution(name: str) -> None:
    bits = METHODS[name].bits[0]
    skewed = np.abs(make_weights())
    same = np.array_equal(make_grid(name, skewed, bits).codebook, make_grid(name, make_weights(), bits).codebook)
    assert same is not METHODS[name].learned


def test_a_codebook_per_channel_follows_channels_of_different_shape() -> None:
    rng = np.random.default_rng(0)
    two_valued = rng.choice([-1.0, 0.2], (3, 3, 32, 1))
    normal = rng.standard_normal((3, 3, 32, 1))
    weights = np.concatenate([two_valued, normal], axis=-1).astype(np.float32)
    palette = quantize(weights, make_grid("kmeans", weights, 2, per_channel=True))
    assert palette.codebook.shape == (2, 4)
    shared = quantize(weights, make_grid("kmeans", weights, 2))
    assert np.sum((palette.weights() - weights) ** 2) < np.sum((shared.weights() - weights) ** 2)


def test_what_is_refused() -> None:
    weights = make_weights()
    with pytest.raises(UsageError, match="did you mean 'kmeans'"):
        make_grid("k-means", weights, 4)
    with pytest.raises(UsageError, match="not 5"):
        make_grid("powers_of_two", weights, 5)
    with pytest.raises(UsageError, match="none per channel"):
        make_grid("uniform", weights, 4, per_channel=True)
