from __future__ import annotations

import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tf_keras
from tf_keras import layers

from edge_sv.errors import UsageError
from edge_sv.models.profile import profile_model
from edge_sv.tflite.layer_cost import LayerProfile


def profile_one(layer: layers.Layer, shape: tuple[int, ...]) -> LayerProfile:
    x = tf_keras.Input(shape)
    (row,) = profile_model(tf_keras.Model(x, layer(x)))
    return row


def test_convolution() -> None:
    row = profile_one(layers.Conv2D(8, (3, 5), strides=2, padding="same", name="c"), (10, 20, 4))
    weights = 3 * 5 * 4 * 8
    assert row == LayerProfile("c", "conv", (5, 10, 8), weights + 8, 32, 4 * (weights + 8), macs=5 * 10 * weights)


def test_dilation_and_valid_padding_change_positions_not_weights() -> None:
    row = profile_one(layers.Conv2D(8, (3, 1), dilation_rate=(4, 1), use_bias=False), (10, 1, 4))
    assert (row.output_shape, row.macs) == ((2, 1, 8), 2 * 3 * 4 * 8)


def test_grouped_convolution_multiplies_within_groups() -> None:
    assert profile_one(layers.Conv2D(8, 1, groups=4, use_bias=False), (1, 1, 4)).macs == 8


def test_depthwise_convolution() -> None:
    row = profile_one(layers.DepthwiseConv2D(3, padding="same", use_bias=False), (6, 7, 4))
    assert (row.kind, row.parameters, row.macs) == ("depthwise_conv", 36, 6 * 7 * 36)


def test_transposed_convolution_uses_each_weight_once_an_input() -> None:
    row = profile_one(layers.Conv2DTranspose(2, 3, strides=2, padding="same", use_bias=False), (4, 4, 5))
    assert (row.output_shape, row.macs) == ((8, 8, 2), 4 * 4 * 3 * 3 * 5 * 2)


def test_dense() -> None:
    row = profile_one(layers.Dense(3), (7, 5))
    assert (row.kind, row.parameters, row.macs) == ("dense", 18, 7 * 15)


def test_batch_norm_counts_its_statistics_and_no_macs() -> None:
    row = profile_one(layers.BatchNormalization(), (2, 2, 6))
    assert (row.kind, row.parameters, row.weight_bytes, row.macs) == ("batch_norm", 24, 96, 0)


def test_layers_without_weights_cost_nothing() -> None:
    row = profile_one(layers.GlobalAveragePooling2D(), (4, 4, 6))
    assert (row.kind, row.parameters, row.weight_bits, row.weight_bytes) == ("global_average_pooling2d", 0, 0, 0)


def test_half_precision_weights_take_half_the_bytes() -> None:
    row = profile_one(layers.Dense(3, use_bias=False, dtype="float16"), (5,))
    assert (row.weight_bits, row.weight_bytes) == (16, 30)


def test_nested_nets_are_listed_layer_by_layer() -> None:
    inner_input = tf_keras.Input((5,))
    inner = tf_keras.Model(inner_input, layers.Dense(2, name="inside")(inner_input))
    x = tf_keras.Input((5,))
    rows = profile_model(tf_keras.Model(x, layers.Dense(4, name="after")(inner(x))))
    assert [(row.name, row.macs) for row in rows] == [("inside", 10), ("after", 8)]


def test_open_number_of_frames_has_no_cost() -> None:
    with pytest.raises(UsageError, match="no fixed output size"):
        profile_one(layers.Conv2D(8, 3), (None, 20, 4))
