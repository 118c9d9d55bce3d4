"""Layers that the net families share."""

from __future__ import annotations

from typing import Any

import tf_keras
from tf_keras import layers

from edge_sv.models.layer_names import EMBEDDING, batch_norm_of, relu_of

Tensor = Any
"""A symbolic Keras tensor (tf_keras has no public type for it)."""


def input_features(frames: int | None, num_mels: int) -> Tensor:
    """Return the nets' input: (batch, frames, num_mels, 1) normalized log-mel frames."""
    return tf_keras.Input((frames, num_mels, 1), name="features")


def conv(
    x: Tensor,
    filters: int,
    kernel: int | tuple[int, int],
    *,
    name: str,
    batch_norm: bool = True,
    relu: bool = True,
    relu_limit: float | None = None,
    strides: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Apply convolution, batch normalization, ReLU, in the order that folds into one int8 operator.

    Args:
        x: (batch, time, freq, channels).
        filters: output channels.
        kernel: (time, freq) size, or one number for both; `same` padding.
        name: of the convolution; the others are named after it.
        batch_norm: without it the convolution has a bias.
        relu: apply it at the end.
        relu_limit: largest value it passes; 6 is free in int8 (ReLU6 is part of the convolution).
        strides: (time, freq).
        dilation: (time, freq).
    """
    x = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=not batch_norm,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if batch_norm:
        x = layers.BatchNormalization(name=batch_norm_of(name))(x)
    return layers.ReLU(relu_limit, name=relu_of(name))(x) if relu else x


def depthwise(
    x: Tensor, kernel: int | tuple[int, int], *, name: str, relu: bool = False, relu_limit: float | None = None
) -> Tensor:
    """Convolve each channel by itself, then batch normalization and, if asked for, ReLU; one int8 operator.

    Args:
        x: (batch, time, freq, channels).
        kernel: (time, freq) size, or one number for both; `same` padding.
        name: of the convolution; the others are named after it.
        relu: apply it at the end.
        relu_limit: largest value it passes, see `conv`.
    """
    x = layers.DepthwiseConv2D(kernel, padding="same", use_bias=False, depthwise_initializer="he_normal", name=name)(x)
    x = layers.BatchNormalization(name=batch_norm_of(name))(x)
    return layers.ReLU(relu_limit, name=relu_of(name))(x) if relu else x


def embedding(x: Tensor, embedding_dim: int) -> Tensor:
    """Map a pooled (batch, 1, 1, channels) map to (batch, embedding_dim).

    A 1x1 convolution, since 4-bit fully connected layers do not run in TensorFlow Lite Micro, and with nothing
    normalized right before it, since that would fold into its input columns.
    """
    x = layers.Conv2D(embedding_dim, 1, name=EMBEDDING)(x)
    return layers.Reshape((embedding_dim,), name=f"{EMBEDDING}_vector")(x)
