"""Rounding inside layers: what it computes, where gradients go, and that wrapping leaves the net alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edge_sv.compress.fake_quant import (
    FixedRange,
    KernelRange,
    LayerConfig,
    LearnedRange,
    find_clip_ratio,
    grown,
    kernel_of,
    round_to,
    wrap,
)
from edge_sv.compress.quantization_aware import expand_layers
from tests.families import FRAMES, NUM_MELS, build_tiny

VALUES = np.random.default_rng(0).normal(0, 2, (40, 7)).astype(np.float32)
CROPS = np.random.default_rng(0).normal(size=(4, FRAMES, NUM_MELS, 1)).astype(np.float32)


def built(kind: Any, *words: Any, depth: int = 8, **more: Any) -> tf_keras.layers.Layer:
    layer = kind(*words, use_bias=False, **more)
    layer.build((None, None, None, depth))
    return layer


def test_kernels_lose_least_and_zeros_stay_zero() -> None:
    rng = np.random.default_rng(1)
    layer = tf_keras.layers.Conv2D(6, 3, use_bias=False)
    layer.build((None, None, None, 8))
    kernel = rng.standard_t(4, size=(3, 3, 8, 6)).astype(np.float32)
    kernel[..., 5] = 0
    layer.kernel.assign(kernel)
    quantizer = KernelRange.of(layer, 4)
    rounded = quantizer.rounded(kernel)
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    widest = np.round(kernel / np.maximum(largest, 1e-9) * 7) * largest / 7
    assert (np.square(rounded - kernel).sum((0, 1, 2)) <= np.square(widest - kernel).sum((0, 1, 2)) + 1e-9).all()
    assert np.square(rounded - kernel).sum() < 0.9 * np.square(widest - kernel).sum()
    assert not rounded[..., 5].any()
    np.testing.assert_allclose(quantizer.palette(kernel, {}).weights(), rounded, rtol=1e-5, atol=1e-7)


def test_a_value_is_rounded_to_one_of_256_between_the_ends_and_zero_is_one_of_them() -> None:
    rounded = np.asarray(round_to(tf.constant(VALUES), (-1.0, 3.0)))
    step = 4 / 255
    assert rounded.min() == pytest.approx(-1, abs=step) and rounded.max() == pytest.approx(3, abs=step)
    steps = rounded / step
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    inside = (VALUES > -0.98) & (VALUES < 2.98)
    assert np.abs(rounded - VALUES)[inside].max() <= step / 2 + 1e-6
    assert np.asarray(FixedRange((-1.0, 3.0))(tf.constant(VALUES), True, {})).tolist() == rounded.tolist()


def test_a_learned_range_moves_where_values_are_clipped() -> None:
    layer, learned = built(tf_keras.layers.Conv2D, 2, 3), LearnedRange()
    weights = learned.build(None, "out", layer)
    assert learned.build(None, "again", layer) == weights, "layers that share it have one range"
    learned.start_at((-1.0, 2.0))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(learned(tf.constant(VALUES), True, weights))
    low, high = tape.gradient(total, weights["growth"]).numpy()
    assert low == pytest.approx(-1.0 * np.sum(VALUES < -1), rel=0.01)
    assert high == pytest.approx(2.0 * np.sum(VALUES > 2), rel=0.01)
    weights["growth"].assign([0.0, np.log(1.5)])
    assert grown(*(weight.numpy() for weight in learned.weights)) == pytest.approx((-1.0, 3.0))


@pytest.mark.parametrize("kind", [tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_channel_s_range_follows_its_weights(kind: Any, bits: int) -> None:
    layer = built(kind, *((6, 3) if kind is tf_keras.layers.Conv2D else (3,)))
    quantizer, kernel = KernelRange.of(layer, bits), kernel_of(layer).numpy()
    axis = 2 if kind is tf_keras.layers.DepthwiseConv2D else 3
    rounded = quantizer.rounded(kernel)
    for channel in range(kernel.shape[axis]):
        assert len(np.unique(rounded.take(channel, axis))) <= (1 << bits) - 1
    np.testing.assert_allclose(quantizer.rounded(3 * kernel), 3 * rounded, rtol=1e-4, atol=1e-6)


def test_the_best_end_of_a_range_is_within_what_there_is() -> None:
    rng = np.random.default_rng(2)
    kernel = np.concatenate([rng.standard_normal((300, 3)), rng.uniform(-1, 1, (300, 1))], axis=1)
    largest = np.abs(kernel).max(axis=0) / np.sqrt(np.mean(kernel**2, axis=0))
    four, eight = (find_clip_ratio(kernel.astype(np.float32), bits) for bits in (4, 8))
    assert (four <= eight + 1e-6).all() and (eight <= largest * 1.001).all()
    assert (four[:3] < largest[:3] * 0.95).all() and four[3] > largest[3] * 0.9, "tails are clipped, edges are not"


def test_wrapping_rounds_what_it_is_told_to_and_leaves_the_net_alone() -> None:
    model = expand_layers(build_tiny("resnet"))
    before, wanted = [weight.numpy() for weight in model.weights], model(CROPS).numpy()
    kernel = KernelRange.of(model.get_layer("stem_conv"), 4)
    net = wrap(model, {"stem_conv": LayerConfig(kernel, None), "stem_conv_relu": LayerConfig(None, FixedRange((0, 3)))})
    assert {layer.name for layer in net.layers if layer.name.startswith("quant_")} == {
        "quant_stem_conv",
        "quant_stem_conv_relu",
    }
    plain = tf_keras.models.clone_model(model)
    plain.set_weights(before)
    plain.get_layer("stem_conv").kernel.assign(kernel.rounded(plain.get_layer("stem_conv").kernel.numpy()))
    tap, told = (
        tf_keras.Model(one.input, one.get_layer(name).output)
        for one, name in ((plain, "stem_conv_relu"), (net, "quant_stem_conv_relu"))
    )
    np.testing.assert_allclose(told(CROPS), round_to(tap(CROPS), (0, 3)), atol=0.013)
    assert not np.allclose(net(CROPS), wanted, atol=1e-4)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
