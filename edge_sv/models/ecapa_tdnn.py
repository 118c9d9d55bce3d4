"""ECAPA-TDNN speaker nets, written so that every operator runs bit for bit in int8 on a microcontroller.

From the paper: dilated Res2Net blocks with squeeze-excitation, aggregation of all blocks' outputs, attentive
statistics pooling. Differences from it, each for int8:

- time is the first axis of a 2-D map of width 1 and the mel bands are channels, so that a TDNN layer is a Conv2D with
  kernel (k, 1): quantization-aware training knows it, and Conv1D would add a RESHAPE on both sides of every layer;
- convolution, batch normalization, ReLU in place of convolution, ReLU, batch normalization: the former folds into one
  integer operator;
- the pooling is `edge_sv.models.pooling`'s attentive kind, and the embedding follows it without batch normalization.

Source: B. Desplanques, J. Thienpondt, K. Demuynck, ECAPA-TDNN: Emphasized Channel Attention, Propagation and
Aggregation in TDNN Based Speaker Verification, Interspeech 2020, arXiv 2005.07143.
"""

from __future__ import annotations

from dataclasses import dataclass

import tf_keras
from tf_keras import layers

from edge_sv.errors import UsageError
from edge_sv.models.family import Family
from edge_sv.models.layer_names import POOL, STEM
from edge_sv.models.layers import Tensor, conv, embedding, input_features
from edge_sv.models.pooling import pool_time, squeeze_excite


@dataclass(frozen=True)
class EcapaConfig:
    """The shape of an ECAPA-TDNN; the defaults are the paper's smaller net, C = 512.

    Args:
        channels: width of the blocks, a multiple of res2net_scale.
        stem_stride: frames from one output of the first convolution to the next; 2 halves all that follows (ours).
        dilations: of each SE-Res2Net block, in frames.
        res2net_scale: channel groups of a block; all but the first have a convolution.
        squeeze_channels: bottleneck of the squeeze-excitation.
        aggregation_channels: width after the blocks' outputs are joined.
        pooling: over time, see `edge_sv.models.pooling`.
        attention_channels: hidden width of the attention, for attentive pooling.
        embedding_dim: length of the embedding.
    """

    channels: int = 512
    stem_stride: int = 1
    dilations: tuple[int, ...] = (2, 3, 4)
    res2net_scale: int = 8
    squeeze_channels: int = 128
    aggregation_channels: int = 1536
    pooling: str = "attentive"
    attention_channels: int = 128
    embedding_dim: int = 192

    def __post_init__(self) -> None:
        if self.res2net_scale < 2 or self.channels % self.res2net_scale:
            raise UsageError(
                f"channels = {self.channels} cannot be split into res2net_scale = {self.res2net_scale} groups",
                hint="make channels a multiple of res2net_scale, and that at least 2",
            )
        if not self.dilations:
            raise UsageError("an ECAPA-TDNN needs at least one block", hint="give dilations, for example [2, 3, 4]")


def build_ecapa_tdnn(config: EcapaConfig, *, frames: int | None, num_mels: int) -> tf_keras.Model:
    """Build the net: (batch, frames, num_mels, 1) -> (batch, embedding_dim)."""
    features = input_features(frames, num_mels)
    # (frames, num_mels, 1) and (frames, 1, num_mels) are the same bytes. With the mel bands as channels the first
    # convolution reads num_mels contiguous values at each tap; a (5, num_mels) kernel would read them one by one.
    x = layers.Reshape((-1, 1, num_mels), name="mels_to_channels")(features)
    x = conv(x, config.channels, (5, 1), strides=(config.stem_stride, 1), name=STEM)
    outputs = []
    for number, dilation in enumerate(config.dilations, start=1):
        x = _se_res2net_block(x, config, dilation=dilation, name=f"block{number}")
        outputs.append(x)
    x = layers.Concatenate(name="aggregation_concat")(outputs) if len(outputs) > 1 else x
    x = conv(x, config.aggregation_channels, 1, name="aggregation_conv")
    x = pool_time(x, config.pooling, name=POOL, attention_channels=config.attention_channels)
    return tf_keras.Model(features, embedding(x, config.embedding_dim), name="ecapa_tdnn")


FAMILY = Family(
    EcapaConfig,
    build_ecapa_tdnn,
    convolutions=(
        "block#_conv1",
        "block#_res2net_conv#",
        "block#_conv2",
        "block#_se_squeeze",
        "block#_se_excite",
        "aggregation_conv",
    ),
)


def _se_res2net_block(x: Tensor, config: EcapaConfig, *, dilation: int, name: str) -> Tensor:
    """Apply 1x1 convolution, Res2Net, 1x1 convolution, squeeze-excitation, with a shortcut around them."""
    y = conv(x, config.channels, 1, name=f"{name}_conv1")
    y = _res2net(y, scale=config.res2net_scale, dilation=dilation, name=f"{name}_res2net")
    y = conv(y, config.channels, 1, name=f"{name}_conv2")
    y = squeeze_excite(y, config.squeeze_channels, name=f"{name}_se")
    return layers.Add(name=f"{name}_add")([x, y])


def _res2net(x: Tensor, *, scale: int, dilation: int, name: str) -> Tensor:
    """Convolve channel groups in a chain: y1 = x1, y2 = conv(x2), yi = conv(xi + y(i-1)), joined."""
    width = x.shape[-1] // scale
    groups = [ChannelSlice(i * width, width, name=f"{name}_group{i + 1}")(x) for i in range(scale)]
    outputs = groups[:1]
    for i, group in enumerate(groups[1:], start=2):
        if i > 2:
            group = layers.Add(name=f"{name}_add{i}")([group, outputs[-1]])
        outputs.append(conv(group, width, (3, 1), dilation=(dilation, 1), name=f"{name}_conv{i}"))
    return layers.Concatenate(name=f"{name}_concat")(outputs)


@tf_keras.utils.register_keras_serializable(package="edge_sv")
class ChannelSlice(layers.Layer):  # type: ignore[misc]
    """Take `width` channels from `start` on: (batch, time, freq, channels) -> (batch, time, freq, width).

    Args:
        start: the first channel.
        width: how many.
        name: the layer's name.
        dtype: the layer's dtype or policy, as Keras passes it.
        trainable: as Keras passes it; the layer has no weights.
    """

    def __init__(
        self, start: int, width: int, *, name: str | None = None, dtype: object = None, trainable: bool = True
    ) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.start = start
        self.width = width

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer."""
        return inputs[..., self.start : self.start + self.width]

    def get_config(self) -> dict[str, object]:
        """Return what makes the layer again."""
        return {**super().get_config(), "start": self.start, "width": self.width}
