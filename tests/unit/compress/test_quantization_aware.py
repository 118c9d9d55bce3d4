"""Quantization-aware training: what is rounded, that it learns, and what is left when it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edge_sv.artifacts.activation_ranges import RANGES_FILE, load_ranges
from edge_sv.compress.fake_quant import kernel_of
from edge_sv.compress.method import Extras
from edge_sv.compress.quantization_aware import expand_layers, quantization_aware_method
from edge_sv.errors import UsageError
from edge_sv.recipes.reading import parse_recipe
from edge_sv.recipes.recipe import CompressionRecipe
from tests.families import FAMILIES, FRAMES, NUM_MELS, build_tiny

CROPS = np.random.default_rng(0).normal(size=(24, FRAMES, NUM_MELS, 1)).astype(np.float32)
TARGETS = np.random.default_rng(1).normal(size=(24, 8)).astype(np.float32)


def recipe(bits: int, **more: object) -> CompressionRecipe:
    rule = {"match": "*", "weights": bits, "quantizer": "fake_quant"}
    values = {"name": "mine", "description": "a test", "rules": [rule], "fine_tuning": {}, **more}
    return parse_recipe(values, source="test")


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.sum(one * other, axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def finish(form: object, net: tf_keras.Model, trained: tf_keras.Model, folder: Path) -> Extras:
    extras = form.finish(net, trained.get_weights())
    (folder / RANGES_FILE).write_bytes(extras.files[RANGES_FILE])
    return extras


@pytest.mark.parametrize("family", FAMILIES)
def test_a_net_trains_and_its_plain_twin_computes_the_same(family: str, tmp_path: Path) -> None:
    model = build_tiny(family)
    before = model.get_weights()
    form = quantization_aware_method(model, recipe(8))
    net = form.trainable(model, lambda: CROPS)
    assert cosines(net(CROPS).numpy(), model(CROPS).numpy()).min() > 0.99
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((net(CROPS, training=True) - TARGETS) ** 2)
    gradients = tape.gradient(loss, net.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert len(net.trainable_variables) > len(model.trainable_variables)
    for weight, gradient in zip(net.trainable_variables, gradients, strict=True):
        weight.assign_sub(1e-2 * tf.clip_by_norm(gradient, 1.0))
    twin = tf_keras.models.clone_model(model)
    extras = finish(form, twin, net, tmp_path)
    assert cosines(net(CROPS).numpy(), twin(CROPS).numpy()).min() > 0.99
    assert set(extras.palettes) == {layer.name for layer in model.layers if type(layer) is tf_keras.layers.Conv2D}
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    still = [w.name for w, old, new in zip(twin.weights, before, twin.get_weights(), strict=True) if (old == new).all()]
    # A shift has no gradient where only a convolution stands between it and the next normalization, as in ReDimNet.
    assert all("depthwise1_bn/beta" in name for name in still), "batch statistics, kernels, biases: all have trained"


def test_four_bits_leave_fifteen_values_in_a_channel(tmp_path: Path) -> None:
    model = build_tiny("df_resnet")
    form = quantization_aware_method(model, recipe(4))
    net = form.trainable(model, lambda: CROPS)
    twin = tf_keras.models.clone_model(model)
    for name, palette in finish(form, twin, net, tmp_path).palettes.items():
        kernel = kernel_of(twin.get_layer(name)).numpy()
        np.testing.assert_array_equal(kernel, palette.weights())
        assert palette.bits == 4
        assert max(len(np.unique(kernel[..., o])) for o in range(kernel.shape[-1])) <= 15
    assert cosines(net(CROPS).numpy(), twin(CROPS).numpy()).min() > 0.99
    depthwise = twin.get_layer("stage1_block1_depthwise").depthwise_kernel.numpy()
    error = depthwise - model.get_layer("stage1_block1_depthwise").depthwise_kernel.numpy()
    assert 0 < np.abs(error).max() < np.abs(depthwise).max() / 127


def test_ranges_come_from_speech_and_learn(tmp_path: Path) -> None:
    model = build_tiny("resnet")
    form = quantization_aware_method(model, recipe(8))
    net = form.trainable(model, lambda: CROPS)
    twin = tf_keras.models.clone_model(model)
    finish(form, twin, net, tmp_path)
    ranges = load_ranges(tmp_path)
    tap = tf_keras.Model(twin.input, twin.get_layer("stem_conv_relu").output)
    assert ranges["stem_conv_relu"][0] == 0.0
    assert ranges["stem_conv_relu"][1] == pytest.approx(float(tf.reduce_max(tap(CROPS))), rel=1e-3)
    growth = next(weight for weight in net.weights if weight.name == "quant_stem_conv_relu/growth:0")
    growth.assign([1.0, np.log(2.0)])
    finish(form, twin, net, tmp_path)
    assert load_ranges(tmp_path)["stem_conv_relu"] == (0.0, pytest.approx(2 * ranges["stem_conv_relu"][1]))


def test_a_spelled_out_net_computes_what_the_net_does() -> None:
    for family in ("resnet", "ecapa_tdnn"):
        model = build_tiny(family)
        np.testing.assert_allclose(expand_layers(model)(CROPS), model(CROPS), rtol=1e-4, atol=1e-5)
        rounded = expand_layers(model, clip=3.0)
        grid = np.round(np.clip(CROPS, -3, 3) / (6 / 255)) * (6 / 255)
        np.testing.assert_allclose(rounded(CROPS), model(grid.astype(np.float32)), atol=2e-2)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"weights": 3}, "has no 3 bits"),
        ({"weights": 8, "granularity": "channel"}, "none per channel"),
    ],
)
def test_what_a_recipe_cannot_ask_for(rule: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        recipe(4, rules=[{"match": "*", "quantizer": "fake_quant", **rule}])


def test_a_recipe_without_training_is_refused() -> None:
    with pytest.raises(UsageError, match="need fine-tuning"):
        recipe(8, fine_tuning=None)
