"""Rounding inside Keras layers by TensorFlow Model Optimization (TFMOT): our quantizers, configs and scheme for it.

TFMOT wraps layers so that weights and outputs pass through quantizers. Its own scheme knows few layers, starts every
range at -6..6 and measures every tensor at every step; here a plan says which outputs are rounded, ranges start
calibrated and are learned, and a layer that only moves values has no quantizer at all.

    activation  Q(x) = clip(round(x / s) s, low, high), s = (high - low) / 255, low and high shifted so that 0 is exact
    range       low = low0 exp(a), high = high0 exp(b): low0, high0 calibrated, a, b learned; an end at 0 stays there
    weight      Q(w) = s round(clip(w / s, -n, n)), n = 2^(bits-1) - 1, s(o) = clip_ratio(o) rms(o) / n, channel o

Gradients pass where a value is within its range, and what is clipped moves the range's end. Source: arXiv 1712.05877,
section 3 (fake quantization); logarithms of the ends as what is learned: S. Jain et al., Trained Quantization
Thresholds, arXiv 1903.08066, section 3, whose gradient has a term for the rounding, too, that is left out here. The
clip_ratio of a channel, chosen where the squared error of its weights is least, is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from edge_sv.artifacts.activation_ranges import Range
from edge_sv.artifacts.palette import CODEBOOK_MAX, Palette
from edge_sv.system.array_types import Float32

Tensor = Any
Quantizer: TypeAlias = tfmot.quantization.keras.quantizers.Quantizer
Function = TypeVar("Function", bound=Callable[..., Any])
ACTIVATION_BITS = 8


def as_written(function: Function) -> Function:
    """Keep TensorFlow from translating a function's control flow, of which it has none; wrapping a net is quicker."""
    return cast(Function, tf.autograph.experimental.do_not_convert(function))


class LearnedRange(Quantizer):  # type: ignore[misc]
    """Rounds to a range whose ends are learned; one object may serve several layers, which then share the range."""

    def __init__(self) -> None:
        self.weights: tuple[tf.Variable, ...] = ()

    def build(self, tensor_shape: Any, name: str, layer: tf_keras.layers.Layer) -> dict[str, Any]:
        """Make the calibrated ends, (2,), and the logarithms of how much they have grown, (2,); once."""
        if not self.weights:
            start = layer.add_weight("start", shape=(2,), initializer="zeros", trainable=False)
            growth = layer.add_weight("growth", shape=(2,), initializer="zeros", trainable=True)
            self.weights = start, growth
        return dict(zip(("start", "growth"), self.weights, strict=True))

    def start_at(self, ends: Range) -> None:
        """Set the calibrated ends, before the net is first used."""
        self.weights[0].assign(ends)

    @as_written
    def __call__(self, inputs: Tensor, training: Any, weights: dict[str, Any], **_: Any) -> Tensor:
        """Compute Q(x)."""
        low, high = tf.unstack(weights["start"] * tf.exp(weights["growth"]))
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, num_bits=ACTIVATION_BITS)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the quantizer again."""
        return {}


class FixedRange(Quantizer):  # type: ignore[misc]
    """Rounds to a range that never changes."""

    def __init__(self, ends: Range) -> None:
        self.ends = ends

    def build(self, tensor_shape: Any, name: str, layer: tf_keras.layers.Layer) -> dict[str, Any]:
        """Make nothing."""
        return {}

    @as_written
    def __call__(self, inputs: Tensor, training: Any, weights: dict[str, Any], **_: Any) -> Tensor:
        """Compute Q(x)."""
        return round_to(inputs, self.ends)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the quantizer again."""
        return {"ends": list(self.ends)}


class KernelQuantizer(Protocol):
    """What quantization-aware training needs of a kernel's quantizer beside what TFMOT needs."""

    def rounded(self, kernel: Float32) -> Float32:
        """Return what a kernel is before the first step."""

    def palette(self, kernel: Float32, own: Mapping[str, Float32]) -> Palette:
        """Round a kernel for good.

        Args:
            kernel: (height, width, in, out).
            own: values of the layer's weights, the quantizer's among them, by name.
        """


class KernelRange(Quantizer):  # type: ignore[misc]
    """Rounds a kernel, evenly and symmetrically, with a scale for each output channel that follows its weights.

    Args:
        bits: of a weight.
        clip_ratio: (out,) root mean squares of a channel at which its range ends.
    """

    def __init__(self, bits: int, clip_ratio: Float32) -> None:
        self.bits, self.clip_ratio = bits, clip_ratio

    @classmethod
    def of(cls, layer: tf_keras.layers.Layer, bits: int) -> KernelRange:
        """Make the quantizer of a convolution from its float kernel; a depthwise one has a channel for each input."""
        kernel = kernel_of(layer).numpy()
        is_depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
        return cls(bits, find_clip_ratio(kernel.reshape(-1, kernel.shape[2 if is_depthwise else 3]), bits))

    def build(self, tensor_shape: Any, name: str, layer: tf_keras.layers.Layer) -> dict[str, Any]:
        """Make nothing: ranges follow from the weights."""
        return {}

    @as_written
    def __call__(self, inputs: Tensor, training: Any, weights: dict[str, Any], **_: Any) -> Tensor:
        """Compute Q(w)."""
        limits = tf.stop_gradient(self._limits(inputs))
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            tf.reshape(inputs, (-1, len(self.clip_ratio))), -limits, limits, num_bits=self.bits, narrow_range=True
        )
        return tf.reshape(rounded, inputs.shape)

    def rounded(self, kernel: Float32) -> Float32:
        """Return Q(w)."""
        return np.asarray(self(tf.constant(kernel), False, {}))

    def palette(self, kernel: Float32, own: Mapping[str, Float32]) -> Palette:
        """Write Q(w) as evenly spaced values."""
        steps, limits = (1 << (self.bits - 1)) - 1, np.asarray(self._limits(tf.constant(kernel)))
        codes = np.clip(np.rint(self.rounded(kernel) / limits * steps), -steps, steps)
        stride = CODEBOOK_MAX // steps
        return Palette(
            bits=self.bits,
            codebook=np.arange(-steps * stride, steps * stride + 1, stride, dtype=np.int8),
            indices=np.asarray(codes + steps, np.uint8),
            scales=np.asarray(limits * (CODEBOOK_MAX / (steps * stride)), np.float32),
        )

    def get_config(self) -> dict[str, Any]:
        """Return what makes the quantizer again."""
        return {"bits": self.bits, "clip_ratio": self.clip_ratio.tolist()}

    def _limits(self, kernel: Tensor) -> Tensor:
        """Return where each output channel's range ends, (out,)."""
        columns = tf.reshape(kernel, (-1, len(self.clip_ratio)))
        return tf.maximum(tf.sqrt(tf.reduce_mean(columns**2, axis=0)) * self.clip_ratio, SMALLEST)


SMALLEST = 1e-8
"""Range of a channel whose weights are all zero."""
SHARES = np.linspace(0.2, 1.0, 81)
"""Candidates for the end of a range, as shares of the channel's largest weight."""


def grown(start: Float32, growth: Float32) -> Range:
    """Return a learned range's ends from its weights, (2,) each."""
    low, high = start * np.exp(growth)
    return float(low), float(high)


def round_to(inputs: Tensor, ends: Range) -> Tensor:
    """Round to a constant range."""
    return tf.quantization.fake_quant_with_min_max_args(inputs, *ends, num_bits=ACTIVATION_BITS)


class LayerConfig(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """What of a layer is rounded.

    Args:
        kernel: its kernel, None: nothing.
        output: its output, None: nothing, since the next layer folds with it.
    """

    def __init__(self, kernel: Quantizer | None, output: Quantizer | None) -> None:
        self.kernel, self.output = kernel, output

    def get_weights_and_quantizers(self, layer: tf_keras.layers.Layer) -> list[tuple[Tensor, Quantizer]]:
        """Return the kernel and its quantizer."""
        return [] if self.kernel is None else [(kernel_of(layer), self.kernel)]

    @as_written
    def set_quantize_weights(self, layer: tf_keras.layers.Layer, quantize_weights: list[Tensor]) -> None:
        """Let the layer compute with the rounded kernel."""
        for kernel in quantize_weights:
            setattr(layer, _kernel_name(layer), kernel)

    def get_activations_and_quantizers(self, layer: tf_keras.layers.Layer) -> list[tuple[Any, Quantizer]]:
        """Return nothing: activation functions are layers."""
        return []

    @as_written
    def set_quantize_activations(self, layer: tf_keras.layers.Layer, quantize_activations: list[Any]) -> None:
        """Do nothing."""

    def get_output_quantizers(self, layer: tf_keras.layers.Layer) -> list[Quantizer]:
        """Return the output's quantizer."""
        return [] if self.output is None else [self.output]

    def get_config(self) -> dict[str, Any]:
        """Return what makes the config again."""
        return {"kernel": self.kernel, "output": self.output}


def kernel_of(layer: tf_keras.layers.Layer) -> tf.Variable:
    """Return a convolution's kernel."""
    return getattr(layer, _kernel_name(layer))


def _kernel_name(layer: tf_keras.layers.Layer) -> str:
    return "depthwise_kernel" if isinstance(layer, tf_keras.layers.DepthwiseConv2D) else "kernel"


class PlannedScheme(tfmot.quantization.keras.QuantizeScheme):  # type: ignore[misc]
    """Rounds what a plan says, and leaves the net's layers as they are.

    Args:
        configs: layer -> what of it is rounded.
    """

    def __init__(self, configs: Mapping[str, LayerConfig]) -> None:
        self._configs = configs

    def get_layout_transformer(self) -> Any:
        """Return a transformer that changes nothing."""
        return _KeepLayout()

    def get_quantize_registry(self) -> Any:
        """Return the plan."""
        return _Registry(self._configs)


class _KeepLayout(tfmot.quantization.keras.QuantizeLayoutTransform):  # type: ignore[misc]
    def apply(self, model: tf_keras.Model, layer_quantize_map: dict[str, Any]) -> tuple[tf_keras.Model, dict[str, Any]]:
        """Return the net as it is."""
        return model, layer_quantize_map


class _Registry(tfmot.quantization.keras.QuantizeRegistry):  # type: ignore[misc]
    def __init__(self, configs: Mapping[str, LayerConfig]) -> None:
        self._configs = configs

    def supports(self, layer: tf_keras.layers.Layer) -> bool:
        """Tell whether the plan has the layer."""
        return layer.name in self._configs

    def get_quantize_config(self, layer: tf_keras.layers.Layer) -> LayerConfig:
        """Return what of the layer is rounded."""
        return self._configs[layer.name]


def wrap(model: tf_keras.Model, configs: Mapping[str, LayerConfig]) -> tf_keras.Model:
    """Copy a net, its weights too, so that it rounds; the model itself is not touched.

    Layers that round are called `quant_<name>` and hold the layer they were made of.
    """

    def annotate(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        copy = layer.__class__.from_config(layer.get_config())
        return tfmot.quantization.keras.quantize_annotate_layer(copy) if layer.name in configs else copy

    annotated = tf_keras.models.clone_model(model, clone_function=annotate)
    for layer in annotated.layers:
        inner = getattr(layer, "layer", layer)
        inner.set_weights(model.get_layer(inner.name).get_weights())
    with tfmot.quantization.keras.quantize_scope():
        return tfmot.quantization.keras.quantize_apply(annotated, PlannedScheme(configs))


def find_clip_ratio(kernel: Float32, bits: int) -> Float32:
    """Find where each output channel's range ends best: the squared error of its rounded weights is least.

    Args:
        kernel: (rows, out) weights.
        bits: of a weight.

    Returns:
        (out,) root mean squares of a channel.
    """
    columns = kernel.astype(np.float64)
    largest = np.maximum(np.abs(columns).max(axis=0), SMALLEST)
    steps = (1 << (bits - 1)) - 1
    errors = [
        np.mean((columns - np.clip(np.rint(columns / scale), -steps, steps) * scale) ** 2, axis=0)
        for scale in (share * largest / steps for share in SHARES)
    ]
    rms = np.maximum(np.sqrt(np.mean(columns**2, axis=0)), SMALLEST)
    return np.asarray(SHARES[np.argmin(errors, axis=0)] * largest / rms, np.float32)
