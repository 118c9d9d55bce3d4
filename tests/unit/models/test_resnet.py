from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.models.presets import PRESETS, build_preset, describe_preset
from edge_sv.models.profile import profile_model
from edge_sv.models.resnet import ResNetConfig, build_resnet
from edge_sv.tflite.flatbuffer import parse_model, profile_operators

Preset = Callable[[str], tf_keras.Model]


def trainable(model: tf_keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


class TestPublishedSize:
    """Against WeSpeaker's `ResNet34-TSTP-emb256`: 6.63 M parameters, 4.55 GMACs at 200 frames.

    Source: github.com/wenet-e2e/wespeaker, `examples/voxceleb/v2/README.md`.
    """

    def test_parameters_are_the_same(self, preset: Preset) -> None:
        assert round(trainable(preset("resnet34")) / 1e6, 2) == 6.63

    def test_macs_are_the_same_within_half_a_percent(self, preset: Preset) -> None:
        # Averaging before the 1x1 shortcut costs no multiplication; their counter also counts normalization.
        macs = sum(layer.macs for layer in profile_model(preset("resnet34")))
        assert macs == pytest.approx(4.55e9, rel=0.005)
        assert macs < 4.55e9


class TestPresets:
    @pytest.mark.parametrize(
        ("name", "parameters"),
        [("resnet-80k", 82_016), ("resnet-130k", 129_856), ("resnet-280k", 283_568), ("resnet18", 4_105_440)],
    )
    def test_parameters(self, name: str, parameters: int, preset: Preset) -> None:
        assert trainable(preset(name)) == parameters

    @pytest.mark.parametrize("name", PRESETS)
    def test_shapes_and_layer_names(self, name: str, preset: Preset) -> None:
        model = preset(name)
        assert model.input_shape == (None, 200, 80, 1)
        assert model.output_shape == (None, describe_preset(name).config.embedding_dim)
        anonymous = [layer.name for layer in model.layers if layer.name.startswith(("conv2d", "tf.", "re_lu", "add"))]
        assert anonymous == []

    def test_unknown_preset_names_the_nearest(self) -> None:
        with pytest.raises(UsageError, match="did you mean 'resnet34'"):
            build_preset("resnet43")


class TestStructure:
    def test_every_stage_after_the_first_halves_time_and_frequency(self) -> None:
        model = build_resnet(ResNetConfig(), frames=100, num_mels=40)
        shapes = [model.get_layer(f"stage{stage}_block1_relu").output_shape[1:3] for stage in (1, 2, 3, 4)]
        assert shapes == [(100, 40), (50, 20), (25, 10), (13, 5)]

    def test_max_pool_halves_before_the_stage(self) -> None:
        config = ResNetConfig(downsample=("max_pool", "none", "max_pool", "none"))
        model = build_resnet(config, frames=100, num_mels=40)
        assert model.get_layer("stage4_block1_relu").output_shape[1:3] == (25, 10)

    def test_no_convolution_of_one_pixel_skips_pixels(self, preset: Preset) -> None:
        """Its gradient corrupts memory in TensorFlow's oneDNN kernels when it has fewer than 16 channels."""
        for layer in preset("resnet-80k").layers:
            if isinstance(layer, tf_keras.layers.Conv2D) and layer.kernel_size == (1, 1):
                assert layer.strides == (1, 1)

    @pytest.mark.parametrize(
        "wrong", [{"stage_blocks": (1, 1)}, {"stage_inner": (8,)}, {"downsample": ("none", "stride", "stride", "half")}]
    )
    def test_impossible_shape_is_refused(self, wrong: dict) -> None:
        with pytest.raises(UsageError):
            ResNetConfig(**wrong)


@pytest.mark.parametrize("pooling", ["deviation", pytest.param("statistics", marks=pytest.mark.slow)])
def test_is_exact_in_int8_and_loses_little(pooling: str, compare_int8) -> None:
    tf_keras.utils.set_random_seed(6)
    config = ResNetConfig(stem_stride=(2, 2), stage_channels=(16, 16, 24, 32), pooling=pooling, embedding_dim=32)
    model = build_resnet(config, frames=100, num_mels=40)  # 13 x 5 and 7 x 3 maps: padding on one side only
    result = compare_int8(model)
    np.testing.assert_array_equal(result.tflm, result.litert)
    assert len(np.unique(result.tflm, axis=0)) == len(result.tflm), "the net must tell inputs apart"
    assert result.cosines.mean() > 0.97
    operators = profile_operators(parse_model(result.model))
    assert sum(row.macs for row in operators) == sum(row.macs for row in profile_model(model))
