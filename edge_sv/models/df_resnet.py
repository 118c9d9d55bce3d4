"""DF-ResNet speaker nets: many narrow inverted bottlenecks instead of few wide blocks.

From the paper: depth before width; a block widens by a 1x1 convolution, convolves each channel by itself and narrows by
a 1x1 convolution, with a shortcut around the three:

    y = x + N(P(relu(N(D(relu(N(E(x))))))))     E: 1x1, c -> expansion * c; D: 3x3 depthwise; P: 1x1 back to c

where N is batch normalization; layers that halve the map stand apart, between the stages: 3x3 convolutions of stride 2.
Ours: no ReLU after the sum, as in MobileNetV2 (WeSpeaker's nets of this kind have one); no layer between the stem and
the first stage; for int8, if asked for, a ReLU with a limit in place of the plain one. The paper's tables could not be
read: the default shape has the depth and widths of WeSpeaker's Gemini-DF-ResNet60, whose name counts four layers more.

Source: B. Liu et al., DF-ResNet: Boosting Speaker Verification Performance with Depth-First Design, Interspeech 2022;
the block is M. Sandler et al., MobileNetV2, arXiv 1801.04381, figure 3b; github.com/wenet-e2e/wespeaker,
`wespeaker/models/gemini_dfresnet.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import tf_keras
from tf_keras import layers

from edge_sv.errors import UsageError
from edge_sv.models.family import Family
from edge_sv.models.layer_names import POOL, STEM
from edge_sv.models.layers import Tensor, conv, depthwise, embedding, input_features
from edge_sv.models.pooling import pool_time


@dataclass(frozen=True)
class DfResNetConfig:
    """The shape of a DF-ResNet; tuples have one value per stage, the defaults are those of DF-ResNet56.

    Args:
        stem_stride: of the first 3x3 convolution, in (time, freq).
        stage_channels: width outside the blocks.
        stage_blocks: blocks in each stage.
        expansion: width inside a block, as a multiple of the width outside.
        relu_limit: largest value a ReLU passes, 6 or none; a limit keeps int8 ranges tight.
        pooling: over time, see `edge_sv.models.pooling`.
        embedding_dim: length of the embedding.
    """

    stem_stride: tuple[int, int] = (1, 1)
    stage_channels: tuple[int, ...] = (32, 64, 128, 256)
    stage_blocks: tuple[int, ...] = (3, 3, 9, 3)
    expansion: int = 4
    relu_limit: float | None = None
    pooling: str = "statistics"
    embedding_dim: int = 256

    def __post_init__(self) -> None:
        if not self.stage_blocks or len(self.stage_blocks) != len(self.stage_channels):
            raise UsageError(
                "a DF-ResNet's stage_channels and stage_blocks need one value per stage", details={"got": repr(self)}
            )


def build_df_resnet(config: DfResNetConfig, *, frames: int | None, num_mels: int) -> tf_keras.Model:
    """Build the net: (batch, frames, num_mels, 1) -> (batch, embedding_dim)."""
    features = input_features(frames, num_mels)
    limit = config.relu_limit
    x = conv(features, config.stage_channels[0], 3, strides=config.stem_stride, relu_limit=limit, name=STEM)
    for stage, (blocks, channels) in enumerate(zip(config.stage_blocks, config.stage_channels, strict=True), start=1):
        if stage > 1:
            x = conv(x, channels, 3, strides=2, relu=False, name=f"stage{stage}_down")
        for block in range(1, blocks + 1):
            x = _inverted_bottleneck(x, config.expansion, relu_limit=limit, name=f"stage{stage}_block{block}")
    x = pool_time(x, config.pooling, name=POOL)
    return tf_keras.Model(features, embedding(x, config.embedding_dim), name="df_resnet")


FAMILY = Family(
    DfResNetConfig,
    build_df_resnet,
    convolutions=("stage#_down", "stage#_block#_expand", "stage#_block#_depthwise", "stage#_block#_project"),
)


def _inverted_bottleneck(x: Tensor, expansion: int, *, relu_limit: float | None, name: str) -> Tensor:
    """Compute the block's equation: (batch, time, freq, c) -> the same shape."""
    channels = x.shape[-1]
    y = conv(x, channels * expansion, 1, relu_limit=relu_limit, name=f"{name}_expand")
    y = depthwise(y, 3, relu=True, relu_limit=relu_limit, name=f"{name}_depthwise")
    y = conv(y, channels, 1, relu=False, name=f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y])
