from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import net_config
from edge_sv.models.df_resnet import DfResNetConfig, build_df_resnet
from edge_sv.models.presets import describe_preset
from edge_sv.models.profile import profile_model
from edge_sv.tflite.flatbuffer import parse_model, profile_operators

Preset = Callable[[str], tf_keras.Model]
CONFIGS = Path(__file__).resolve().parents[3] / "configs"
TINY = DfResNetConfig(
    stem_stride=(2, 2),
    stage_channels=(8, 16),
    stage_blocks=(2, 1),
    expansion=2,
    relu_limit=6.0,
    pooling="deviation",
    embedding_dim=16,
)


def trainable(model: tf_keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


class TestPublishedSize:
    """Against the published DF-ResNet56: 4.5 M parameters, 2.66 GMACs at 200 frames (arXiv 2407.18223, table 2)."""

    def test_parameters(self, preset: Preset) -> None:
        assert trainable(preset("df-resnet56")) == pytest.approx(4.5e6, rel=0.05)

    def test_macs(self, preset: Preset) -> None:
        assert sum(row.macs for row in profile_model(preset("df-resnet56"))) == pytest.approx(2.66e9, rel=0.025)

    def test_is_56_layers_deep(self, preset: Preset) -> None:
        """Stem, three convolutions in each of 18 blocks, embedding; layers that halve the map are not counted."""
        kinds = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D)
        names = [layer.name for layer in preset("df-resnet56").layers if isinstance(layer, kinds)]
        assert len([name for name in names if not name.endswith("_down")]) == 56


def test_preset_is_what_the_bundled_configuration_trains() -> None:
    net = tomllib.loads((CONFIGS / "df-resnet-small.toml").read_text())["net"]
    assert net_config(net["family"], net["config"]) == describe_preset("df-resnet-small").config


class TestStructure:
    def test_every_stage_after_the_first_halves_time_and_frequency(self) -> None:
        model = build_df_resnet(DfResNetConfig(stage_blocks=(1, 1, 1, 1)), frames=100, num_mels=40)
        shapes = [model.get_layer(f"stage{stage}_block1_add").output_shape[1:] for stage in (1, 2, 3, 4)]
        assert shapes == [(100, 40, 32), (50, 20, 64), (25, 10, 128), (13, 5, 256)]

    def test_block_computes_its_equation(self) -> None:
        model = build_df_resnet(TINY, frames=20, num_mels=16)
        name = "stage1_block2"
        net = tf_keras.Model(
            model.input, [model.get_layer("stage1_block1_add").output, model.get_layer(f"{name}_add").output]
        )
        before, after = net(np.random.default_rng(0).normal(size=(2, 20, 16, 1)).astype(np.float32))
        y = before
        for part in ("expand", "depthwise", "project"):
            y = model.get_layer(f"{name}_{part}_bn")(model.get_layer(f"{name}_{part}")(y))
            y = y if part == "project" else np.clip(y, 0, 6)
        np.testing.assert_allclose(after, before + y, atol=1e-5)

    def test_block_widens_in_between(self) -> None:
        model = build_df_resnet(TINY, frames=20, num_mels=16)
        widths = [model.get_layer(f"stage2_block1_{part}").output_shape[-1] for part in ("expand", "depthwise")]
        assert widths == [32, 32]

    @pytest.mark.parametrize("wrong", [{"stage_blocks": (1, 1)}, {"stage_blocks": (), "stage_channels": ()}])
    def test_impossible_shape_is_refused(self, wrong: dict) -> None:
        with pytest.raises(UsageError, match="one value per stage"):
            DfResNetConfig(**wrong)


def test_is_exact_in_int8_and_loses_little(compare_int8) -> None:
    tf_keras.utils.set_random_seed(6)
    model = build_df_resnet(TINY, frames=50, num_mels=16)
    result = compare_int8(model)
    np.testing.assert_array_equal(result.tflm, result.litert)
    np.testing.assert_array_equal(result.generated_c(), result.tflm[:2])
    assert len(np.unique(result.tflm, axis=0)) == len(result.tflm), "the net must tell inputs apart"
    assert result.cosines.mean() > 0.97
    rows = profile_operators(parse_model(result.model))
    assert sum(row.macs for row in rows) == sum(row.macs for row in profile_model(model))
    kinds = Counter(row.kind for row in rows)
    # All batch normalizations and ReLUs are gone: stem, 3 blocks of two, one between the stages, embedding.
    assert (kinds["CONV_2D"], kinds["DEPTHWISE_CONV_2D"], kinds["ADD"]) == (1 + 3 * 2 + 1 + 1, 3, 3)
    assert kinds.keys() <= {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "SUB", "RELU", "RESHAPE", "CONCATENATION"}
