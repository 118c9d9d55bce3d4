"""The graph that trains under compression computes what the compressed net will compute."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edge_sv.compress.straight_through import round_to_grid, straight_through_method
from edge_sv.errors import UsageError
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import make_grid
from edge_sv.recipes.reading import parse_recipe

SMALL = {"stem_channels": 4, "stage_channels": (4, 8), "stage_blocks": (1, 1), "downsample": ("none", "max_pool")}


def small_net() -> tf_keras.Model:
    from edge_sv.models.resnet import ResNetConfig, build_resnet

    tf_keras.utils.set_random_seed(3)
    return build_resnet(ResNetConfig(**SMALL, pooling="mean_time_freq", embedding_dim=8), frames=20, num_mels=10)


def recipe(*rules: dict[str, object]) -> object:
    return parse_recipe({"name": "mine", "description": "a test", "rules": list(rules)}, source="test")


@pytest.mark.parametrize(
    ("name", "bits", "per_channel"),
    [
        ("uniform", 4, False),
        ("powers_of_two", 4, False),
        ("kmeans", 2, False),
        ("kmeans", 3, True),
        ("binary_static", 1, False),
        ("binary_adaptive", 1, True),
    ],
)
def test_graph_and_numpy_round_alike(name: str, bits: int, per_channel: bool) -> None:
    weights = np.random.default_rng(0).standard_normal((3, 3, 8, 6)).astype(np.float32)
    grid = make_grid(name, weights, bits, per_channel=per_channel)
    np.testing.assert_allclose(round_to_grid(tf.constant(weights), grid), quantize(weights, grid).weights(), atol=2e-6)


def test_training_clone_computes_what_apply_leaves() -> None:
    model = small_net()
    compression = straight_through_method(
        model,
        recipe({"match": "*", "weights": 2, "quantizer": "kmeans"}, {"match": "stem*", "weights": 8}),
    )
    assert "stem_conv" not in compression.grids
    twin = compression.trainable(model)
    assert [w.name for w in twin.weights] == [w.name for w in model.weights]
    features = np.random.default_rng(1).standard_normal((2, 20, 10, 1)).astype(np.float32)
    trained = twin(features, training=False).numpy()
    palettes = compression.apply(model)
    np.testing.assert_allclose(trained, model(features, training=False), rtol=1e-4, atol=1e-5)
    assert all(len(np.unique(palette.codes)) <= 4 for palette in palettes.values())


def test_the_gradient_passes_the_rounding() -> None:
    model = small_net()
    twin = straight_through_method(model, recipe({"match": "*", "weights": 2, "quantizer": "kmeans"})).trainable(model)
    features = tf.constant(np.random.default_rng(1).standard_normal((2, 20, 10, 1)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(twin(features, training=True) ** 2)
    gradients = tape.gradient(loss, twin.trainable_variables)
    assert all(
        gradient is not None and np.abs(gradient).max() > 0 for gradient in gradients if len(gradient.shape) == 4
    )


def test_layers_that_cannot_be_compressed() -> None:
    inputs = tf_keras.Input((4, 4, 2))
    outputs = tf_keras.layers.DepthwiseConv2D(3, name="depthwise")(inputs)
    outputs = tf_keras.layers.Conv2DTranspose(2, 3, name="transposed")(outputs)
    model = tf_keras.Model(inputs, outputs)
    with pytest.raises(UsageError, match="cannot compress layer 'transposed'"):
        straight_through_method(model, recipe({"match": "*", "weights": 2, "quantizer": "kmeans"}))
