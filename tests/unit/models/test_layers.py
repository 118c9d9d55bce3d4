"""Layers that the families share: their order, their names, and that a limit, strides and dilation do what they say."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from edge_sv.models.layers import conv, depthwise, embedding, input_features

FEATURES = np.random.default_rng(0).normal(size=(2, 20, 12, 1)).astype(np.float32)


def model_of(make: object) -> tf_keras.Model:
    features = input_features(20, 12)
    return tf_keras.Model(features, make(features))


def kinds(model: tf_keras.Model) -> list[tuple[str, str]]:
    return [(layer.name, type(layer).__name__) for layer in model.layers[1:]]


def test_convolution_normalization_and_relu_come_in_the_order_that_folds() -> None:
    model = model_of(lambda x: conv(x, 4, 3, name="one"))
    assert kinds(model) == [("one", "Conv2D"), ("one_bn", "BatchNormalization"), ("one_relu", "ReLU")]
    assert not model.get_layer("one").use_bias
    plain = model_of(lambda x: conv(x, 4, 3, name="one", batch_norm=False, relu=False))
    assert kinds(plain) == [("one", "Conv2D")] and plain.get_layer("one").use_bias


@pytest.mark.parametrize(
    ("options", "shape"), [({}, (20, 12)), ({"strides": (2, 1)}, (10, 12)), ({"dilation": (2, 1)}, (20, 12))]
)
def test_padding_keeps_what_strides_leave(options: dict[str, tuple[int, int]], shape: tuple[int, int]) -> None:
    model = model_of(lambda x: conv(x, 4, (5, 3), name="one", **options))
    assert model.output_shape == (None, *shape, 4)
    assert model.get_layer("one").dilation_rate == options.get("dilation", (1, 1))


@pytest.mark.parametrize("make", [conv, depthwise])
def test_a_limit_is_the_largest_value_that_passes(make: object) -> None:
    words = (4, 3) if make is conv else (3,)
    model = model_of(lambda x: make(x, *words, name="one", relu=True, relu_limit=0.5))
    values = model(20 * FEATURES).numpy()
    assert values.min() == 0 and values.max() == 0.5


def test_a_depthwise_convolution_sees_its_own_channel_alone() -> None:
    features = tf_keras.Input((8, 4, 3))
    model = tf_keras.Model(features, depthwise(features, 3, name="each"))
    assert kinds(model) == [("each", "DepthwiseConv2D"), ("each_bn", "BatchNormalization")]
    values = np.random.default_rng(1).normal(size=(1, 8, 4, 3)).astype(np.float32)
    changed = values.copy()
    changed[..., 1] += 1
    differ = np.abs(model(values).numpy() - model(changed).numpy()).max(axis=(0, 1, 2)) > 1e-6
    assert differ.tolist() == [False, True, False]


def test_the_embedding_is_a_convolution_of_one_place() -> None:
    features = tf_keras.Input((1, 1, 6))
    model = tf_keras.Model(features, embedding(features, 5))
    assert model.output_shape == (None, 5)
    (layer,) = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert (layer.name, layer.kernel.shape, layer.use_bias) == ("embedding", (1, 1, 6, 5), True)
    values = np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6)
    np.testing.assert_allclose(model(values)[0], values.ravel() @ layer.kernel.numpy()[0, 0], rtol=1e-5)
