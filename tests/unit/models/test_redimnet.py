from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tensorflow as tf
import tf_keras

from edge_sv.analysis.flash import size_tables
from edge_sv.compress.straight_through import straight_through_method
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import NetDescription, save_net
from edge_sv.models.profile import profile_model
from edge_sv.models.redimnet import ReDimNetConfig, build_redimnet
from edge_sv.plugins.converter import find_converter
from edge_sv.recipes.reading import load_recipe
from edge_sv.tflite.flatbuffer import operators, parse_model, profile_operators, tensor_data, tensor_name
from tests.nets import FEATURES, SEGMENTS, voice_calibration
from tests.unit.models.conftest import calibrate_batch_norm, make_features

Preset = Callable[[str], tf_keras.Model]
TINY = ReDimNetConfig(
    channels=4,
    stem_stride=2,
    stage_strides=(1, 2),
    stage_blocks=(1, 1),
    stage_expansion=(1, 2),
    context_channels=(0, 12),
    context_kernels=(3, 7),
    attention_channels=8,
    embedding_dim=16,
)
MELS = 24


@pytest.fixture(scope="module")
def tiny() -> tf_keras.Model:
    """A net with random weights that sees 64 frames of 24 mel bands."""
    tf_keras.utils.set_random_seed(6)
    return build_redimnet(TINY, frames=64, num_mels=MELS)


def inner(model: tf_keras.Model, *names: str) -> tf_keras.Model:
    return tf_keras.Model(model.input, [model.get_layer(name).output for name in names])


class TestPublishedSize:
    """Against the paper's B0: 1.0 M parameters, 0.43 GMACs at 200 frames; our 1-D maps are 640 wide, not 600."""

    def test_parameters(self, preset: Preset) -> None:
        trainable = sum(int(np.prod(weight.shape)) for weight in preset("redimnet-b0").trainable_weights)
        assert trainable == pytest.approx(1.0e6, rel=0.03)

    def test_macs(self, preset: Preset) -> None:
        assert sum(row.macs for row in profile_model(preset("redimnet-b0"))) == pytest.approx(0.43e9, rel=0.25)


class TestStructure:
    def test_volume_never_changes(self, preset: Preset) -> None:
        model = preset("redimnet-b0")
        shapes = [model.get_layer(f"stage{n}_block1_relu").output_shape[2:] for n in range(1, 6)]
        assert shapes == [(80, 8), (40, 2 * 16), (40, 3 * 16), (20, 2 * 32), (20, 32)]
        assert {model.get_layer(f"stage{n}_as_1d").output_shape for n in range(1, 6)} == {(None, 200, 1, 640)}

    def test_both_views_are_the_same_bytes(self, tiny: tf_keras.Model) -> None:
        features = np.random.default_rng(0).normal(size=(2, 64, MELS, 1)).astype(np.float32)
        one, two = inner(tiny, "stem_as_1d", "stem_conv_bn")(features)
        assert one.numpy().tobytes() == two.numpy().tobytes()
        assert (one.shape[1:], two.shape[1:]) == ((32, 1, 96), (32, 24, 4))

    def test_stages_begin_with_the_weighted_sum_of_all_before(self, tiny: tf_keras.Model) -> None:
        rng = np.random.default_rng(0)
        features = rng.normal(size=(2, 64, MELS, 1)).astype(np.float32)
        earlier = ("stem_as_1d", "stage1_as_1d", "stage2_context_add")
        weights = [tiny.get_layer(f"aggregation_weight{n}").depthwise_kernel for n in range(3)]
        for weight in weights:
            np.testing.assert_allclose(weight.numpy(), 1 / 3)
            weight.assign(rng.normal(size=weight.shape))
        *maps, total = inner(tiny, *earlier, "aggregation_sum2")(features)
        wanted = sum(w.numpy().reshape(-1) * x.numpy() for w, x in zip(weights, maps, strict=True))
        np.testing.assert_allclose(total, wanted, atol=1e-5)
        for weight in weights:
            weight.assign(np.full(weight.shape, 1 / 3))

    def test_time_is_never_pooled_and_the_stem_may_skip_frames(self) -> None:
        config = dataclasses.replace(TINY, stem_stride=1)
        assert build_redimnet(config, frames=50, num_mels=MELS).get_layer("stage2_as_1d").output_shape[1] == 50

    def test_any_number_of_frames(self, tiny: tf_keras.Model) -> None:
        free = build_redimnet(TINY, frames=None, num_mels=MELS)
        free.set_weights(tiny.get_weights())
        features = np.random.default_rng(0).normal(size=(2, 64, MELS, 1)).astype(np.float32)
        np.testing.assert_allclose(free(features), tiny(features), atol=1e-5)

    def test_impossible_shapes_are_refused(self) -> None:
        with pytest.raises(UsageError, match="one value per stage"):
            dataclasses.replace(TINY, stage_blocks=(1,))
        with pytest.raises(UsageError, match="cannot divide 25 frequencies by 2"):
            build_redimnet(TINY, frames=50, num_mels=25)


def test_trains(tiny: tf_keras.Model) -> None:
    """Thirty steps toward given embeddings; the gradient reaches every weight."""
    model = build_redimnet(TINY, frames=64, num_mels=MELS)
    features = make_features(8, 64, MELS)
    targets = np.eye(8, 16, dtype=np.float32)
    optimizer = tf_keras.optimizers.Adam(3e-3)

    @tf.function
    def step() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(features, training=True) - targets) ** 2)
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss, [tf.reduce_max(tf.abs(gradient)) for gradient in gradients]

    losses, reached = zip(*(step() for _ in range(30)), strict=True)
    assert losses[-1] < 0.5 * losses[0]
    still = [w.name for w, size in zip(model.trainable_weights, np.max(reached, axis=0), strict=True) if size == 0]
    assert still == []


def test_is_exact_in_int8_and_loses_little(tiny: tf_keras.Model, compare_int8) -> None:
    result = compare_int8(tiny)
    np.testing.assert_array_equal(result.tflm, result.litert)
    np.testing.assert_array_equal(result.generated_c(), result.tflm[:2])
    assert len(np.unique(result.tflm, axis=0)) == len(result.tflm), "the net must tell inputs apart"
    assert result.cosines.mean() > 0.97
    rows = profile_operators(parse_model(result.model))
    assert sum(row.macs for row in rows) == sum(row.macs for row in profile_model(tiny))
    kinds = Counter(row.kind for row in rows)
    # Per stage: weights of 1 and 2 maps, two separable convolutions; 2 convolutions along time; weights of 3 maps.
    assert kinds["DEPTHWISE_CONV_2D"] == 1 + 2 + 2 * 2 + 2 + 3
    assert "TRANSPOSE" not in kinds and "SOFTMAX" not in kinds


def test_weights_of_the_sum_are_exact_in_int8(tiny: tf_keras.Model, compare_int8) -> None:
    tree = parse_model(compare_int8(tiny).model)
    tensors = tree.subgraphs[0].tensors
    found = 0
    for operator in operators(tree):
        if operator.kind == "DEPTHWISE_CONV_2D" and "_weight" in tensor_name(tensors[operator.outputs[0]]):
            values = tensor_data(tree, tensors[operator.inputs[1]])
            assert set(np.abs(values.astype(int)).ravel()) == {127}
            found += 1
    assert found == 1 + 2 + 3


def test_compresses_without_fine_tuning(tiny: tf_keras.Model, tmp_path: Path) -> None:
    """Four bits for each convolution, found again in flash, and still the same bits everywhere."""
    calibrate_batch_norm(tiny, voice_calibration().segments[..., np.newaxis])
    exact = tiny(voice_calibration().segments[:8, ..., np.newaxis]).numpy()
    model = tf_keras.models.clone_model(tiny)
    model.set_weights(tiny.get_weights())
    palettes = straight_through_method(model, load_recipe("palette_w4_ai8")).apply(model)
    description = NetDescription("tiny", "redimnet", TINY, FEATURES, SEGMENTS)
    save_net(tmp_path, description, model, palettes)
    artifact = find_converter("tflite").convert(tmp_path, load_recipe("palette_w4_ai8"), voice_calibration())
    reference, device = LiteRTEmbedder(artifact, reference_kernels=True), TflmEmbedder(artifact)
    segments = device.input.quantize(voice_calibration().segments[:8])
    outputs = np.array([device.invoke(segment) for segment in segments])
    np.testing.assert_array_equal(outputs, [reference.invoke(segment) for segment in segments])
    found = device.output.scale * (outputs.astype(np.float32) - device.output.zero_point)
    cosines = (found * exact).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosines.mean() > 0.9
    found_bits = {layer.name: layer.bits for layer in size_tables(artifact)["cortex-m"].layers}
    for name, palette in palettes.items():  # where the codebook costs more than the indices save, int8 stays
        assert found_bits[name] == (palette.bits if palette.indices.size > 64 else 8), name
