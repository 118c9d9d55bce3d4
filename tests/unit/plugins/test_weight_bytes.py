"""Bytes of weights, and what a generator's costs promise; tests/converters/test_weight_bytes.py compares packages."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.plugins.generator import find_generator
from edge_sv.plugins.weight_bytes import WeightBytes, WeightCosts, total_bytes
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import make_grid

SHAPE = (3, 3, 16, 32)
KERNEL = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)


@pytest.fixture
def costs() -> WeightCosts:
    return find_generator().weight_costs


def test_bytes_add_up() -> None:
    layers = [WeightBytes(values=100, codebooks=16, scales=40, biases=32), WeightBytes(1, 0, 5, 4)]
    assert [layer.total for layer in layers] == [188, 10]
    assert total_bytes(layers) == 198 and total_bytes([]) == 0


def test_fewer_bits_take_fewer_bytes(costs: WeightCosts) -> None:
    counted = [costs.shared_codebook(SHAPE, bits).values for bits in costs.bit_widths]
    assert counted == sorted(set(counted))
    assert costs.shared_codebook(SHAPE, costs.bit_widths[-1]) == costs.int8(SHAPE)
    for bits, values in zip(costs.bit_widths, counted, strict=True):
        assert values * 8 >= KERNEL.size * bits


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_a_palette_takes_what_its_bits_say(costs: WeightCosts, bits: int) -> None:
    palette = quantize(KERNEL, make_grid("kmeans", KERNEL, bits))
    assert costs.palette(palette) == costs.shared_codebook(SHAPE, bits)


def test_a_codebook_for_each_channel_takes_its_entries(costs: WeightCosts) -> None:
    layer = costs.palette(quantize(KERNEL, make_grid("kmeans", KERNEL, 2)))
    channel = costs.palette(quantize(KERNEL, make_grid("kmeans", KERNEL, 2, per_channel=True)))
    assert channel.values == layer.values and channel.codebooks == 32 * layer.codebooks


def test_a_flipped_sign_may_need_a_codebook_s_negative(costs: WeightCosts) -> None:
    palette = quantize(KERNEL, make_grid("kmeans", KERNEL, 3))
    flipped = np.arange(32) % 2 == 0
    assert costs.palette(palette, sign_flipped=np.zeros(32, np.bool_)) == costs.palette(palette)
    assert costs.palette(palette, sign_flipped=flipped).total > costs.palette(palette).total


def test_depthwise_weights_are_padded_at_most(costs: WeightCosts) -> None:
    counted = costs.depthwise((3, 3, 30, 1))
    assert 9 * 30 <= counted.values <= 9 * 32
    assert counted.biases == 4 * 30
