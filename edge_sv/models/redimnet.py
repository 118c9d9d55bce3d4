"""ReDimNet speaker nets: one volume of numbers, seen in turn as a 2-D map and as a 1-D one.

From the paper: each stage takes a weighted sum of all earlier stages' outputs, with a weight for each channel of the
1-D map; sees it as a 2-D map (time, freq, channels); a convolution may divide the frequencies by its stride and
multiplies the channels by it, so that freq * channels never changes; residual blocks of separable 3x3 convolutions;
then the same numbers as a 1-D map (time, 1, freq * channels), narrowed, convolved along time with growing kernels,
widened and added. Time is never pooled. The pooling sees a weighted sum of all stages' outputs.

Ours, for int8:

- time is the first axis and channels are the last, so that both views have the same bytes in the same order: a
  RESHAPE, for which the device computes nothing. A 1-D convolution is a Conv2D of width 1, as in the ECAPA-TDNN here;
- a 1-D map's weights are a 1x1 depthwise convolution each, summed by ADD. With one weight for each channel and one
  scale for each channel, int8 holds these weights exactly (every one is 127 steps of its own scale). They begin
  equal, as in the paper, but are not kept positive with sum 1 by a softmax;
- batch normalization that folds in place of layer normalization, ReLU in place of GELU, and a batch normalization
  after every depthwise convolution, too;
- a gate for each channel, computed from the whole recording, in place of the 1-D part's self-attention, whose softmax
  over all frames int8 cannot hold;
- where a stage's blocks are wider than its output, a 1x1 convolution narrows them, in place of a grouped 3x3 one,
  which TensorFlow Lite Micro lacks;
- the stem may skip frames.

Source: I. Yakovlev et al., Reshape Dimensions Network for Speaker Recognition, Interspeech 2024, arXiv 2407.18223,
section 2; the configuration of B0 is in the authors' repository, github.com/IDRnD/ReDimNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import tf_keras
from tf_keras import layers

from edge_sv.errors import UsageError
from edge_sv.models.family import Family
from edge_sv.models.layer_names import POOL, STEM
from edge_sv.models.layers import Tensor, conv, depthwise, embedding, input_features
from edge_sv.models.pooling import pool_time, squeeze_excite


@dataclass(frozen=True)
class ReDimNetConfig:
    """The shape of a ReDimNet; tuples have one value per stage.

    The defaults are the paper's B0, but for the stem's 8 channels on 80 mel bands, there 10 on 60.

    Args:
        channels: of the stem; channels * num_mels is the width of every 1-D map.
        stem_stride: frames from one output of the stem to the next; 2 halves all that follows (ours).
        stage_strides: what a stage divides the frequencies by.
        stage_blocks: residual blocks in each stage.
        stage_expansion: width of a stage's blocks, as a multiple of the width of its output.
        context_channels: width of a stage's convolutions along time; 0: it has none.
        context_kernels: their kernels, in frames, one after the other.
        pooling: over time, see `edge_sv.models.pooling`.
        attention_channels: hidden width of the attention, for attentive pooling.
        embedding_dim: length of the embedding.
    """

    channels: int = 8
    stem_stride: int = 1
    stage_strides: tuple[int, ...] = (1, 2, 1, 2, 1)
    stage_blocks: tuple[int, ...] = (2, 3, 3, 4, 3)
    stage_expansion: tuple[int, ...] = (1, 2, 3, 2, 1)
    context_channels: tuple[int, ...] = (20, 20, 20, 60, 60)
    context_kernels: tuple[int, ...] = (7, 19, 31, 59)
    pooling: str = "attentive"
    attention_channels: int = 128
    embedding_dim: int = 192

    def __post_init__(self) -> None:
        per_stage = (self.stage_strides, self.stage_blocks, self.stage_expansion, self.context_channels)
        if not self.stage_strides or len({len(values) for values in per_stage}) != 1:
            raise UsageError(
                "a ReDimNet's stage_strides, stage_blocks, stage_expansion and context_channels need one value per "
                "stage",
                details={"got": ", ".join(f"{f.name} {getattr(self, f.name)}" for f in fields(self)[2:6])},
            )


def build_redimnet(config: ReDimNetConfig, *, frames: int | None, num_mels: int) -> tf_keras.Model:
    """Build the net: (batch, frames, num_mels, 1) -> (batch, embedding_dim).

    Raises:
        UsageError: the strides do not divide the mel bands.
    """
    features = input_features(frames, num_mels)
    x = conv(features, config.channels, 3, strides=(config.stem_stride, 1), relu=False, name=STEM)
    outputs, freq = [_as_1d(x, name="stem")], num_mels
    for number, stride in enumerate(config.stage_strides, start=1):
        if stride < 1 or freq % stride:
            raise UsageError(
                f"a ReDimNet's stage {number} cannot divide {freq} frequencies by {stride}",
                hint="a multiple of the product of stage_strides as num_mels",
            )
        outputs.append(_stage(outputs, config, number, freq=freq, name=f"stage{number}"))
        freq //= stride
    x = _weighted_sum(outputs, name="aggregation")
    x = pool_time(x, config.pooling, name=POOL, attention_channels=config.attention_channels)
    return tf_keras.Model(features, embedding(x, config.embedding_dim), name="redimnet")


FAMILY = Family(
    ReDimNetConfig,
    build_redimnet,
    convolutions=(
        "stage#_weight#",
        "stage#_down",
        "stage#_block#_depthwise1",
        "stage#_block#_point1",
        "stage#_block#_depthwise2",
        "stage#_block#_point2",
        "stage#_narrow",
        "stage#_context_narrow",
        "stage#_context_depthwise#",
        "stage#_context_point#",
        "stage#_context_se_squeeze",
        "stage#_context_se_excite",
        "stage#_context_widen",
        "aggregation_weight#",
    ),
)


def _stage(inputs: Sequence[Tensor], config: ReDimNetConfig, number: int, *, freq: int, name: str) -> Tensor:
    """Apply one stage: 1-D maps (batch, time, 1, width) -> another; `freq` is how many bands it sees at first."""
    stride, expansion = config.stage_strides[number - 1], config.stage_expansion[number - 1]
    width = inputs[0].shape[-1]
    channels = width // freq * stride
    x = _weighted_sum(inputs, name=name)
    x = layers.Reshape((-1, freq, width // freq), name=f"{name}_as_2d")(x)
    x = conv(x, channels * expansion, (1, stride), strides=(1, stride), relu=False, name=f"{name}_down")
    for block in range(1, config.stage_blocks[number - 1] + 1):
        x = _block_2d(x, name=f"{name}_block{block}")
    if expansion != 1:
        x = conv(x, channels, 1, relu=False, name=f"{name}_narrow")
    x = _as_1d(x, name=name)
    context = config.context_channels[number - 1]
    return _block_1d(x, context, config.context_kernels, name=f"{name}_context") if context else x


def _block_2d(x: Tensor, *, name: str) -> Tensor:
    """Apply two separable 3x3 convolutions with a shortcut: relu(x + s2(relu(s1(x)))), the shape stays."""
    channels = x.shape[-1]
    y = depthwise(x, 3, name=f"{name}_depthwise1")
    y = conv(y, channels, 1, name=f"{name}_point1")
    y = depthwise(y, 3, name=f"{name}_depthwise2")
    y = conv(y, channels, 1, relu=False, name=f"{name}_point2")
    y = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu")(y)


def _block_1d(x: Tensor, channels: int, kernels: Sequence[int], *, name: str) -> Tensor:
    """Add what is seen along time to a 1-D map: x + widen(gate(u(...u(narrow(x))))), u(y) = y + point(depthwise(y))."""
    y = conv(x, channels, 1, name=f"{name}_narrow")
    for number, kernel in enumerate(kernels, start=1):
        z = depthwise(y, (kernel, 1), relu=True, name=f"{name}_depthwise{number}")
        z = conv(z, channels, 1, relu=False, name=f"{name}_point{number}")
        y = layers.Add(name=f"{name}_add{number}")([y, z])
    y = squeeze_excite(y, channels // 2, name=f"{name}_se")
    y = conv(y, x.shape[-1], 1, relu=False, name=f"{name}_widen")
    return layers.Add(name=f"{name}_add")([x, y])


def _weighted_sum(inputs: Sequence[Tensor], *, name: str) -> Tensor:
    """Compute sum_j w_j * x_j of 1-D maps, w_j a number for each channel, 1 / len(inputs) at first."""
    equal = tf_keras.initializers.Constant(1 / len(inputs))
    total = None
    for number, x in enumerate(inputs):
        weighted = layers.DepthwiseConv2D(
            1, use_bias=False, depthwise_initializer=equal, name=f"{name}_weight{number}"
        )(x)
        total = weighted if total is None else layers.Add(name=f"{name}_sum{number}")([total, weighted])
    return total


def _as_1d(x: Tensor, *, name: str) -> Tensor:
    """See (batch, time, freq, channels) as (batch, time, 1, freq * channels)."""
    return layers.Reshape((-1, 1, x.shape[2] * x.shape[3]), name=f"{name}_as_1d")(x)
