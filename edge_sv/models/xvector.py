"""X-vector TDNN speaker nets: dilated frame layers, statistics over time, an embedding.

From the paper: five frame-level layers,

    h_l[t] = relu(W_l [h_(l-1)[t + c]  for c in context_l] + b_l)

with the contexts {-2..2}, {-2, 0, 2}, {-3, 0, 3}, {0}, {0}, the last one wide; mean and standard deviation of its
outputs over all frames; the embedding is the affine layer after them, before its nonlinearity. Ours, as in the
ECAPA-TDNN here: time is the first axis of a 2-D map of width 1, so that such a layer is a Conv2D with kernel (k, 1) and
dilation; batch normalization sits between convolution and ReLU, where it folds; outside of the recording lie zeros; the
spread may be the mean absolute deviation; the layers after the embedding are left out, since only the training's
softmax would need them.

Source: D. Snyder et al., X-vectors: Robust DNN Embeddings for Speaker Recognition, ICASSP 2018, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import tf_keras
from tf_keras import layers

from edge_sv.errors import UsageError
from edge_sv.models.family import Family
from edge_sv.models.layer_names import POOL, STEM
from edge_sv.models.layers import conv, embedding, input_features
from edge_sv.models.pooling import pool_time


@dataclass(frozen=True)
class XVectorConfig:
    """The shape of an x-vector net; the defaults are the paper's.

    Args:
        channels: width of the frame-level layers before the last.
        kernels: of the frame-level layers before the last, in frames, one for each layer.
        dilations: frames from one tap to the next, one for each layer.
        stem_stride: frames from one output of the first layer to the next; 2 halves all that follows (ours).
        pooled_channels: width of the last frame-level layer, whose statistics are taken.
        pooling: over time, see `edge_sv.models.pooling`.
        embedding_dim: length of the embedding.
    """

    channels: int = 512
    kernels: tuple[int, ...] = (5, 3, 3, 1)
    dilations: tuple[int, ...] = (1, 2, 3, 1)
    stem_stride: int = 1
    pooled_channels: int = 1500
    pooling: str = "statistics"
    embedding_dim: int = 512

    def __post_init__(self) -> None:
        if not self.kernels or len(self.kernels) != len(self.dilations):
            raise UsageError(
                "an x-vector net needs one dilation for each kernel, and at least one",
                details={"got": f"kernels {list(self.kernels)}, dilations {list(self.dilations)}"},
            )


def build_xvector(config: XVectorConfig, *, frames: int | None, num_mels: int) -> tf_keras.Model:
    """Build the net: (batch, frames, num_mels, 1) -> (batch, embedding_dim)."""
    features = input_features(frames, num_mels)
    x = layers.Reshape((-1, 1, num_mels), name="mels_to_channels")(features)
    for number, (kernel, dilation) in enumerate(zip(config.kernels, config.dilations, strict=True), start=1):
        name = STEM if number == 1 else f"frame{number}_conv"
        strides = (config.stem_stride if number == 1 else 1, 1)
        x = conv(x, config.channels, (kernel, 1), strides=strides, dilation=(dilation, 1), name=name)
    x = conv(x, config.pooled_channels, 1, name=f"frame{len(config.kernels) + 1}_conv")
    x = pool_time(x, config.pooling, name=POOL)
    return tf_keras.Model(features, embedding(x, config.embedding_dim), name="xvector")


FAMILY = Family(XVectorConfig, build_xvector, convolutions=("frame#_conv",))
