"""Bytes of a net's layers, counted before it is converted; tests/converters/test_weight_bytes.py compares packages."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from edge_sv.compress.net_bytes import net_bytes, sign_flipped_channels, weight_costs
from edge_sv.plugins.weight_bytes import total_bytes
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import make_grid
from tests.families import FAMILIES, build_tiny


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_with_a_kernel_is_counted_in_the_order_of_the_net(family: str) -> None:
    model = build_tiny(family)
    kinds = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D)
    convolutions = [layer for layer in model.layers if isinstance(layer, kinds)]
    counted = net_bytes(model)
    assert list(counted) == [layer.name for layer in convolutions]
    for layer in convolutions:
        assert counted[layer.name].values >= np.prod(layer.weights[0].shape) and counted[layer.name].codebooks == 0


def test_a_palette_counts_in_its_layer_alone() -> None:
    model = build_tiny("xvector")
    kernel = model.get_layer("frame3_conv").kernel.numpy()
    palette = quantize(kernel, make_grid("kmeans", kernel, 2))
    plain, packed = net_bytes(model), net_bytes(model, {"frame3_conv": palette})
    assert {name for name in plain if plain[name] != packed[name]} == {"frame3_conv"}
    assert packed["frame3_conv"] == weight_costs().palette(palette)
    assert total_bytes(packed.values()) < total_bytes(plain.values())


def test_a_dense_layer_counts_as_a_convolution_of_one_place() -> None:
    model = tf_keras.Sequential([tf_keras.Input((8,)), tf_keras.layers.Dense(4, name="dense")])
    assert net_bytes(model) == {"dense": weight_costs().int8((1, 1, 8, 4))}


def test_channels_whose_sign_a_batch_normalization_flips() -> None:
    model = build_tiny("xvector")
    norm = model.get_layer("stem_conv_bn")
    norm.gamma.assign(np.where(np.arange(8) % 4, 1.0, -1.0))
    assert np.flatnonzero(sign_flipped_channels(model, "stem_conv")).tolist() == [0, 4]
    assert sign_flipped_channels(model, "embedding") is None, "nothing is normalized after it"
