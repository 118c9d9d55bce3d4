from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.models.ecapa_tdnn import EcapaConfig, build_ecapa_tdnn
from edge_sv.models.profile import profile_model
from edge_sv.tflite.flatbuffer import parse_model, profile_operators

Preset = Callable[[str], tf_keras.Model]
SMALL = EcapaConfig(
    channels=32, res2net_scale=4, squeeze_channels=8, aggregation_channels=48, attention_channels=8, embedding_dim=24
)


def trainable(model: tf_keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


class TestPublishedSize:
    """Against WeSpeaker's `ECAPA_TDNN_GLOB_c512-ASTP-emb192`: 6.19 M parameters, 1.04 GMACs at 200 frames.

    Source: github.com/wenet-e2e/wespeaker, `examples/voxceleb/v2/README.md` and `wespeaker/models/ecapa_tdnn.py`.
    """

    CHANNELS, JOINED, ATTENTION = 512, 1536, 128
    PARAMETERS = 6_190_720  # of that implementation; its README rounds to 6.19 M
    CONVOLUTIONS_BEFORE_BN = 1 + 3 * (2 + 7 / 8)  # in units of CHANNELS outputs

    def test_parameters_differ_by_what_is_written_differently(self, preset: Preset) -> None:
        folded_biases = -int(self.CONVOLUTIONS_BEFORE_BN * self.CHANNELS)  # a bias before BN does nothing
        aggregation_bn = 2 * self.JOINED - self.JOINED  # scale and offset in place of a bias
        attention_bn = 2 * self.ATTENTION  # on the frame's part; the context's part has the bias
        no_bn_before_embedding = -2 * 2 * self.JOINED
        expected = self.PARAMETERS + folded_biases + aggregation_bn + attention_bn + no_bn_before_embedding
        assert trainable(preset("ecapa-512")) == expected
        assert expected == pytest.approx(self.PARAMETERS, rel=0.002)

    def test_macs_differ_by_the_context_computed_once(self, preset: Preset) -> None:
        macs = sum(layer.macs for layer in profile_model(preset("ecapa-512")))
        repeated_context = 199 * 2 * self.JOINED * self.ATTENTION  # theirs joins the context to each of 200 frames
        assert round((macs + repeated_context) / 1e9, 2) == 1.04


class TestStructure:
    def test_128_fits_a_device(self, preset: Preset) -> None:
        model = preset("ecapa-128")
        assert model.output_shape == (None, 96)
        assert trainable(model) == 514_080

    def test_tdnn_layers_keep_dilation_inside_the_convolution(self) -> None:
        model = build_ecapa_tdnn(SMALL, frames=50, num_mels=20)
        for block, dilation in enumerate(SMALL.dilations, start=1):
            layer = model.get_layer(f"block{block}_res2net_conv2")
            assert (layer.kernel_size, layer.dilation_rate) == ((3, 1), (dilation, 1))

    def test_a_frame_reaches_as_far_as_its_receptive_field_and_no_further(self) -> None:
        model = build_ecapa_tdnn(
            EcapaConfig(channels=32, res2net_scale=4, dilations=(2, 3), pooling="mean"), frames=64, num_mels=6
        )
        # Without the gates, which see all frames: up to the second block's Res2Net, of which the first block's gate
        # is replaced by a constant.
        model.get_layer("block1_se_excite").set_weights([np.zeros((1, 1, 128, 32)), np.zeros(32)])
        inner = tf_keras.Model(model.input, model.get_layer("block2_res2net_concat").output)
        features = np.random.default_rng(0).normal(size=(16, 64, 6, 1)).astype(np.float32)
        changed = features.copy()
        changed[:, 32] += 5.0
        moved = np.flatnonzero(np.abs(inner(changed).numpy() - inner(features).numpy()).max(axis=(0, 2, 3)) > 0)
        reach = 2 + 3 * 2 + 3 * 3  # the stem's half kernel; three chained convolutions in each of two blocks
        assert (moved.min(), moved.max()) == (32 - reach, 32 + reach)

    def test_first_group_passes_unchanged(self) -> None:
        model = build_ecapa_tdnn(SMALL, frames=10, num_mels=4)
        names = ("block1_conv1_relu", "block1_res2net_concat")
        inside = tf_keras.Model(model.input, [model.get_layer(name).output for name in names])
        before, after = inside(np.random.default_rng(0).normal(size=(2, 10, 4, 1)).astype(np.float32))
        np.testing.assert_array_equal(after.numpy()[..., :8], before.numpy()[..., :8])

    def test_stem_stride_skips_frames(self) -> None:
        config = EcapaConfig(channels=32, stem_stride=2, pooling="deviation")
        assert build_ecapa_tdnn(config, frames=50, num_mels=20).get_layer("block1_add").output_shape[1] == 25

    def test_mel_bands_become_channels_in_order(self) -> None:
        model = build_ecapa_tdnn(SMALL, frames=7, num_mels=5)
        features = np.arange(35, dtype=np.float32).reshape(1, 7, 5, 1)
        rows = tf_keras.Model(model.input, model.get_layer("mels_to_channels").output)(features).numpy()
        np.testing.assert_array_equal(rows[0, :, 0], features[0, :, :, 0])

    def test_survives_a_round_trip_through_its_configuration(self) -> None:
        model = build_ecapa_tdnn(SMALL, frames=20, num_mels=8)
        again = tf_keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        features = np.random.default_rng(0).normal(size=(2, 20, 8, 1)).astype(np.float32)
        np.testing.assert_array_equal(again(features).numpy(), model(features).numpy())

    @pytest.mark.parametrize("wrong", [{"channels": 100}, {"res2net_scale": 1}, {"dilations": ()}])
    def test_impossible_shape_is_refused(self, wrong: dict) -> None:
        with pytest.raises(UsageError):
            EcapaConfig(**wrong)


@pytest.mark.parametrize("stem_stride", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_is_exact_in_int8_and_loses_little(stem_stride: int, compare_int8) -> None:
    tf_keras.utils.set_random_seed(5)
    config = EcapaConfig(
        channels=32,
        stem_stride=stem_stride,
        res2net_scale=4,
        squeeze_channels=8,
        aggregation_channels=48,
        attention_channels=16,
        embedding_dim=32,
    )
    model = build_ecapa_tdnn(config, frames=100, num_mels=20)
    result = compare_int8(model)
    np.testing.assert_array_equal(result.tflm, result.litert)
    assert len(np.unique(result.tflm, axis=0)) == len(result.tflm), "the net must tell inputs apart"
    assert result.cosines.min() > 0.98
    assert result.cosines.mean() > 0.99
    operators = profile_operators(parse_model(result.model))
    assert sum(row.macs for row in operators) == sum(row.macs for row in profile_model(model))
