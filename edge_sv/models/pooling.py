"""Pooling over time: a feature map in, one vector out, in operators that int8 kernels compute exactly.

Each step is a named layer of its own, so that quantization-aware training can reach it, and becomes one builtin
operator: MEAN, SUB, MUL, RSQRT, ADD, CONV_2D, TANH, LOGISTIC, CONCATENATION, RESHAPE. SUM, DIV, SQRT and a SOFTMAX
over time are avoided: their int8 kernels are missing, wrong or too coarse (softmax weights of 200 frames are about
one step of int8's 1/256).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import tensorflow as tf
import tf_keras
from tf_keras import layers

from edge_sv.errors import unknown_name
from edge_sv.models.layers import Tensor, conv

PoolingKind = Literal["mean", "mean_time_freq", "statistics", "deviation", "attentive"]

VARIANCE_EPSILON = 1e-3
GATE_FLOOR = 0.1
"""Added to an attention gate's mean before it divides: the quotient stays below 10, so that one int8 scale serves
channels whose gates are nearly closed and those whose gates are open."""


@tf_keras.utils.register_keras_serializable(package="edge_sv")
class TimeMean(layers.Layer):  # type: ignore[misc]
    """Average over time: (batch, time, freq, channels) -> (batch, 1, freq, channels)."""

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer."""
        return tf.reduce_mean(inputs, axis=1, keepdims=True)


@tf_keras.utils.register_keras_serializable(package="edge_sv")
class InverseSquareRoot(layers.Layer):  # type: ignore[misc]
    """Compute 1 / sqrt(x + epsilon), one RSQRT on the device.

    Args:
        epsilon: added to x; bounds the result, and with it the step of its int8 scale.
        name: the layer's name.
        dtype: the layer's dtype or policy, as Keras passes it.
        trainable: as Keras passes it; the layer has no weights.
    """

    def __init__(
        self, epsilon: float = VARIANCE_EPSILON, *, name: str | None = None, dtype: Any = None, trainable: bool = True
    ) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.epsilon = epsilon

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer."""
        return tf.math.rsqrt(inputs + tf.cast(self.epsilon, inputs.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        return {**super().get_config(), "epsilon": self.epsilon}


def pool_time(x: Tensor, kind: str, *, name: str, attention_channels: int = 64) -> Tensor:
    """Pool a feature map into one vector that a 1x1 Conv2D can embed.

    Args:
        x: (batch, time, freq, channels), time and freq known.
        kind: one of
            `mean`: mean over time of each (freq, channel): freq * channels numbers;
            `mean_time_freq`: mean over time and frequency: channels numbers;
            `statistics`: mean and standard deviation over time: 2 * freq * channels numbers;
            `deviation`: mean and mean absolute deviation over time: 2 * freq * channels numbers;
            `attentive`: the same two, weighted by attention: 2 * freq * channels numbers.
        name: prefix of the layers' names.
        attention_channels: width of the attention's hidden layer, for `attentive` alone.

    Returns:
        (batch, 1, 1, numbers).

    Raises:
        UsageError: there is no such kind.

    Source: statistics pooling: Snyder et al., "X-vectors", ICASSP 2018, table 1.
    """
    pools: dict[str, Callable[[Tensor], Tensor]] = {
        "mean": lambda x: _to_vector(TimeMean(name=f"{name}_mean")(x), name=name),
        "mean_time_freq": lambda x: layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x),
        "statistics": lambda x: _statistics(x, name=name),
        "deviation": lambda x: _deviation(x, name=name),
        "attentive": lambda x: _attentive(x, name=name, attention_channels=attention_channels),
    }
    if kind not in pools:
        raise unknown_name("pooling", kind, get_args(PoolingKind))
    return pools[kind](x)


def squeeze_excite(x: Tensor, squeeze_channels: int, *, name: str) -> Tensor:
    """Scale each channel of (batch, time, 1, channels) by a gate from 0 to 1: sigmoid(W2 relu(W1 mean over time)).

    Source: J. Hu et al., Squeeze-and-Excitation Networks, arXiv 1709.01507, equations 2-4.
    """
    gate = pool_time(x, "mean", name=name)
    gate = conv(gate, squeeze_channels, 1, batch_norm=False, name=f"{name}_squeeze")
    gate = conv(gate, x.shape[-1], 1, batch_norm=False, relu=False, name=f"{name}_excite")
    gate = layers.Activation("sigmoid", name=f"{name}_gate")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def _statistics(x: Tensor, *, name: str) -> Tensor:
    """Mean and standard deviation; the variance in two passes, since E[x^2] - m^2 cancels in int8."""
    mean = TimeMean(name=f"{name}_mean")(x)
    centred = layers.Subtract(name=f"{name}_centre")([x, mean])
    squared = layers.Multiply(name=f"{name}_square")([centred, centred])
    variance = TimeMean(name=f"{name}_variance")(squared)
    inverse = InverseSquareRoot(name=f"{name}_rsqrt")(variance)
    std = layers.Multiply(name=f"{name}_std")([variance, inverse])
    return _join(mean, std, name=name)


def _deviation(x: Tensor, *, name: str) -> Tensor:
    """Mean and half of the mean absolute deviation.

    Deviations from a mean add up to zero, so their positive part alone is half of their absolute value: a SUB with
    fused ReLU and a MEAN. One multiplication less than a variance, and the result keeps int8's full precision.
    """
    mean = TimeMean(name=f"{name}_mean")(x)
    above = _positive_part(x, mean, name=f"{name}_above")
    return _join(mean, TimeMean(name=f"{name}_deviation")(above), name=name)


def _attentive(x: Tensor, *, name: str, attention_channels: int) -> Tensor:
    """Weighted mean and weighted mean deviation above it, weights from the frame and the whole utterance.

    From the papers: a weight for each frame and channel, from a two-layer net that sees the frame together with the
    utterance's statistics; weighted first- and second-order statistics. Ours, for int8: a sigmoid gate divided by its
    mean over time (and a floor) in place of the softmax, 1 / m computed as rsqrt(m)^2; the mean deviation above the
    mean in place of the standard deviation; the context's part of the first layer computed once and added to each
    frame, in place of repeating the context at each frame.

    Source: Okabe et al., "Attentive statistics pooling", Interspeech 2018, equations 4-6;
        Desplanques et al., "ECAPA-TDNN", Interspeech 2020, section 3.1.
    """
    _, _, freq, channels = x.shape
    if freq != 1:
        x = layers.Reshape((-1, 1, freq * channels), name=f"{name}_flatten")(x)
    gate = _attention_gate(x, name=name, hidden=attention_channels)
    gate_mean = TimeMean(name=f"{name}_gate_mean")(gate)
    root = InverseSquareRoot(GATE_FLOOR, name=f"{name}_gate_rsqrt")(gate_mean)
    norm = layers.Multiply(name=f"{name}_gate_norm")([root, root])

    def weighted_mean(values: Tensor, label: str) -> Tensor:
        weighted = layers.Multiply(name=f"{name}_{label}_weighted")([values, gate])
        return layers.Multiply(name=f"{name}_{label}")([TimeMean(name=f"{name}_{label}_average")(weighted), norm])

    mean = weighted_mean(x, "mean")
    return _join(mean, weighted_mean(_positive_part(x, mean, name=f"{name}_above"), "deviation"), name=name)


def _attention_gate(x: Tensor, *, name: str, hidden: int) -> Tensor:
    """Give each frame and channel of (batch, time, 1, channels) a weight between 0 and 1."""
    context = _deviation(x, name=f"{name}_context")
    frame = conv(x, hidden, 1, relu=False, name=f"{name}_attention_frame")
    whole = conv(context, hidden, 1, relu=False, batch_norm=False, name=f"{name}_attention_context")
    joined = layers.Add(name=f"{name}_attention_add")([frame, whole])
    joined = layers.Activation("tanh", name=f"{name}_attention_tanh")(joined)
    score = conv(joined, x.shape[-1], 1, relu=False, batch_norm=False, name=f"{name}_attention_score")
    return layers.Activation("sigmoid", name=f"{name}_gate")(score)


def _positive_part(x: Tensor, mean: Tensor, *, name: str) -> Tensor:
    centred = layers.Subtract(name=f"{name}_centre")([x, mean])
    return layers.ReLU(name=name)(centred)


def _join(mean: Tensor, spread: Tensor, *, name: str) -> Tensor:
    """Join two (batch, 1, freq, channels) statistics into (batch, 1, 1, 2 * freq * channels)."""
    vectors = [_to_vector(mean, name=f"{name}_mean"), _to_vector(spread, name=f"{name}_spread")]
    return layers.Concatenate(name=name)(vectors)


def _to_vector(x: Tensor, *, name: str) -> Tensor:
    _, _, freq, channels = x.shape
    return x if freq == 1 else layers.Reshape((1, 1, freq * channels), name=f"{name}_vector")(x)
