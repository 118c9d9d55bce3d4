from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.models.profile import profile_model
from edge_sv.models.xvector import XVectorConfig, build_xvector
from edge_sv.tflite.flatbuffer import parse_model, profile_operators

Preset = Callable[[str], tf_keras.Model]
TINY = XVectorConfig(channels=24, stem_stride=2, pooled_channels=48, pooling="deviation", embedding_dim=16)


def trainable(model: tf_keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


class TestPublishedShape:
    """Against table 1 of the paper: frame-level layers 5F x 512, 1536 x 512, 1536 x 512, 512 x 512, 512 x 1500."""

    def test_weights_are_the_table_s(self, preset: Preset) -> None:
        model, mels = preset("xvector"), 80
        sizes = [
            int(np.prod(layer.kernel.shape)) for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D)
        ]
        assert sizes == [5 * mels * 512, 1536 * 512, 1536 * 512, 512 * 512, 512 * 1500, 3000 * 512]

    def test_total_context_is_fifteen_frames(self, preset: Preset) -> None:
        config = XVectorConfig(channels=8, pooled_channels=8)
        model = build_xvector(config, frames=64, num_mels=4)
        inner = tf_keras.Model(model.input, model.get_layer("frame5_conv").output)
        features = np.random.default_rng(0).normal(size=(16, 64, 4, 1)).astype(np.float32)
        changed = features.copy()
        changed[:, 32] += 5.0
        moved = np.flatnonzero(np.abs(inner(changed).numpy() - inner(features).numpy()).max(axis=(0, 2, 3)) > 0)
        assert (moved.min(), moved.max()) == (32 - 7, 32 + 7)

    def test_embedding_sees_mean_and_deviation(self, preset: Preset) -> None:
        assert preset("xvector").get_layer("pool").output_shape == (None, 1, 1, 3000)


class TestStructure:
    def test_small_is_small(self, preset: Preset) -> None:
        assert trainable(preset("xvector-small")) == 178_016

    def test_stem_stride_skips_frames(self) -> None:
        assert build_xvector(TINY, frames=50, num_mels=20).get_layer("frame5_conv").output_shape == (None, 25, 1, 48)

    def test_survives_a_round_trip_through_its_configuration(self) -> None:
        model = build_xvector(TINY, frames=20, num_mels=8)
        again = tf_keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        features = np.random.default_rng(0).normal(size=(2, 20, 8, 1)).astype(np.float32)
        np.testing.assert_array_equal(again(features).numpy(), model(features).numpy())

    @pytest.mark.parametrize("wrong", [{"kernels": (5, 3)}, {"kernels": (), "dilations": ()}])
    def test_impossible_shape_is_refused(self, wrong: dict) -> None:
        with pytest.raises(UsageError, match="one dilation for each kernel"):
            XVectorConfig(**wrong)


def test_is_exact_in_int8_and_loses_little(compare_int8) -> None:
    tf_keras.utils.set_random_seed(6)
    model = build_xvector(TINY, frames=60, num_mels=20)
    result = compare_int8(model)
    np.testing.assert_array_equal(result.tflm, result.litert)
    np.testing.assert_array_equal(result.generated_c(), result.tflm[:2])
    assert len(np.unique(result.tflm, axis=0)) == len(result.tflm), "the net must tell inputs apart"
    assert result.cosines.mean() > 0.98
    rows = profile_operators(parse_model(result.model))
    assert sum(row.macs for row in rows) == sum(row.macs for row in profile_model(model))
    kinds = Counter(row.kind for row in rows)
    assert kinds["CONV_2D"] == 6  # batch normalizations and ReLUs are part of them
    assert kinds.keys() <= {"CONV_2D", "MEAN", "SUB", "RELU", "RESHAPE", "CONCATENATION"}
