"""What each layer of a Keras net costs."""

from __future__ import annotations

import math
import re

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.tflite.layer_cost import LayerProfile

_KINDS = {"Conv2D": "conv", "DepthwiseConv2D": "depthwise_conv", "BatchNormalization": "batch_norm", "ReLU": "relu"}


def profile_model(model: tf_keras.Model) -> list[LayerProfile]:
    """Describe the layers of a net in the order they run, its input left out; nested nets layer by layer.

    Raises:
        UsageError: the net's input has no fixed size, so its costs have none either.
    """
    rows: list[LayerProfile] = []
    for layer in model.layers:
        if isinstance(layer, tf_keras.Model):
            rows += profile_model(layer)
        elif not isinstance(layer, tf_keras.layers.InputLayer):
            rows.append(_profile_layer(layer))
    return rows


def _profile_layer(layer: tf_keras.layers.Layer) -> LayerProfile:
    shape = tuple(layer.output_shape[1:])
    if None in shape:
        raise UsageError(
            f"layer '{layer.name}' has no fixed output size: {shape}", hint="build the net with a number of frames"
        )
    bits = {8 * weight.dtype.size for weight in layer.weights}
    return LayerProfile(
        name=layer.name,
        kind=_KINDS.get(type(layer).__name__) or _snake_case(type(layer).__name__),
        output_shape=shape,
        parameters=layer.count_params(),
        weight_bits=max(bits, default=0),
        weight_bytes=sum(math.prod(weight.shape) * weight.dtype.size for weight in layer.weights),
        macs=_count_macs(layer, shape),
    )


def _count_macs(layer: tf_keras.layers.Layer, output_shape: tuple[int, ...]) -> int:
    """Count multiply-accumulates: each weight of a kernel once at each output position, zero padding included."""
    if isinstance(layer, tf_keras.layers.Conv2DTranspose):
        positions = math.prod(layer.input_shape[1:3])
        return int(positions * math.prod(layer.kernel.shape))
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return int(math.prod(output_shape[:-1]) * math.prod(layer.depthwise_kernel.shape))
    if isinstance(layer, tf_keras.layers.Conv2D | tf_keras.layers.Dense):
        return int(math.prod(output_shape[:-1]) * math.prod(layer.kernel.shape))
    return 0


def _snake_case(name: str) -> str:
    """Turn `GlobalAveragePooling2D` into `global_average_pooling2d`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()
