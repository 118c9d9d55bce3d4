"""ResNet speaker nets, from a few ten thousand parameters to ResNet34.

Source: K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385 (basic blocks); the shortcut that
averages before its 1x1 convolution is ResNet-D: T. He et al., Bag of Tricks, arXiv 1812.01187, section 4.2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import tf_keras
from tf_keras import layers

from edge_sv.errors import UsageError
from edge_sv.models.family import Family
from edge_sv.models.layer_names import POOL, STEM
from edge_sv.models.layers import Tensor, conv, embedding, input_features
from edge_sv.models.pooling import pool_time

Downsample = Literal["none", "stride", "max_pool"]


@dataclass(frozen=True)
class ResNetConfig:
    """The shape of a ResNet; tuples have one value per stage.

    Args:
        stem_channels: of the first convolution.
        stem_kernel: its size, in time and frequency.
        stem_stride: of the first convolution, in (time, freq).
        stage_channels: width of the residual path.
        stage_inner: width between a block's two convolutions; empty: as stage_channels.
        stage_blocks: blocks in each stage.
        downsample: how each stage begins: `none`; `stride`: its first convolution has stride 2 and its shortcut
            averages 2x2; `max_pool`: a 2x2 max pool before the stage.
        batch_norm: after every convolution; without it the convolutions have biases.
        relu_limit: largest value a ReLU passes, 6 or none; a limit keeps int8 ranges tight.
        pooling: over time, see `edge_sv.models.pooling`.
        embedding_dim: length of the embedding.
    """

    stem_channels: int = 16
    stem_kernel: int = 3
    stem_stride: tuple[int, int] = (1, 1)
    stage_channels: tuple[int, ...] = (16, 32, 64, 128)
    stage_inner: tuple[int, ...] = ()
    stage_blocks: tuple[int, ...] = (1, 1, 1, 1)
    downsample: tuple[Downsample, ...] = ("none", "stride", "stride", "stride")
    batch_norm: bool = True
    relu_limit: float | None = None
    pooling: str = "statistics"
    embedding_dim: int = 64

    def __post_init__(self) -> None:
        stages = len(self.stage_channels)
        lengths = {len(self.stage_blocks), len(self.downsample), len(self.stage_inner or self.stage_channels)}
        if lengths != {stages}:
            raise UsageError(
                "a ResNet's stage_channels, stage_inner, stage_blocks and downsample need one value per stage",
                details={"got": repr(self)},
            )
        unknown = set(self.downsample) - set(get_args(Downsample))
        if unknown:
            raise UsageError(f"unknown downsample {sorted(unknown)}", hint=f"use {', '.join(get_args(Downsample))}")


def block_convolutions(block: str) -> tuple[str, str]:
    """Name the two convolutions of a block, `stage1_block1`."""
    return f"{block}_conv1", f"{block}_conv2"


def stage_pool(stage: int) -> str:
    """Name the max pool that a stage, counted from 1, begins with."""
    return f"stage{stage}_pool"


def build_resnet(config: ResNetConfig, *, frames: int | None, num_mels: int) -> tf_keras.Model:
    """Build the net: (batch, frames, num_mels, 1) -> (batch, embedding_dim)."""
    features = input_features(frames, num_mels)
    unit = functools.partial(conv, batch_norm=config.batch_norm, relu_limit=config.relu_limit)
    x = unit(features, config.stem_channels, config.stem_kernel, strides=config.stem_stride, name=STEM)
    for stage, (blocks, channels) in enumerate(zip(config.stage_blocks, config.stage_channels, strict=True)):
        inner = config.stage_inner[stage] if config.stage_inner else channels
        downsample = config.downsample[stage]
        if downsample == "max_pool":
            x = layers.MaxPooling2D(2, name=stage_pool(stage + 1))(x)
        for block in range(blocks):
            x = _basic_block(
                x,
                inner,
                channels,
                stride=2 if downsample == "stride" and block == 0 else 1,
                unit=unit,
                relu_limit=config.relu_limit,
                name=f"stage{stage + 1}_block{block + 1}",
            )
    x = pool_time(x, config.pooling, name=POOL)
    return tf_keras.Model(features, embedding(x, config.embedding_dim), name="resnet")


FAMILY = Family(
    ResNetConfig, build_resnet, convolutions=("stage#_block#_shortcut", "stage#_block#_conv1", "stage#_block#_conv2")
)


def _basic_block(
    x: Tensor,
    inner: int,
    channels: int,
    *,
    stride: int,
    unit: Callable[..., Tensor],
    relu_limit: float | None,
    name: str,
) -> Tensor:
    """Apply two 3x3 convolutions with a shortcut: (batch, time, freq, c) -> (batch, time/s, freq/s, channels)."""
    shortcut = x
    if stride != 1:
        shortcut = layers.AveragePooling2D(stride, padding="same", name=f"{name}_shortcut_pool")(shortcut)
    if x.shape[-1] != channels:
        shortcut = unit(shortcut, channels, 1, relu=False, name=f"{name}_shortcut")
    first, second = block_convolutions(name)
    y = unit(x, inner, 3, strides=stride, name=first)
    y = unit(y, channels, 3, relu=False, name=second)
    y = layers.Add(name=f"{name}_add")([shortcut, y])
    return layers.ReLU(relu_limit, name=f"{name}_relu")(y)
