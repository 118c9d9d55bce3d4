"""Quantization-aware training: a net that rounds weights and activations as its converted form will, and learns so.

The weights end as palettes of evenly spaced values, like those of every other method, so the converter writes exactly
the codes that were trained; the ranges of the activations lie beside them, so it needs no calibration. Batch
normalizations train on, with the batch's statistics, and keep averaging them: a kernel has a scale for each output
channel, and folding a normalization only changes that scale, so what is rounded is the same before and after folding.
What is rounded, and how, is in `activations` and `fake_quant`.

Source: B. Jacob et al., arXiv 1712.05877, section 3. Theirs folds the normalization during training, since their
kernels have one scale; ours need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.artifacts.activation_ranges import INPUT, RANGES_FILE, ROUNDING, SHIFT, Range, encode_ranges
from edge_sv.compress.activations import Activations, plan_activations
from edge_sv.compress.fake_quant import (
    FixedRange,
    KernelQuantizer,
    KernelRange,
    LayerConfig,
    LearnedRange,
    Quantizer,
    grown,
    kernel_of,
    round_to,
    wrap,
)
from edge_sv.compress.method import Crops, Extras
from edge_sv.errors import UsageError
from edge_sv.models.pooling import InverseSquareRoot
from edge_sv.recipes.recipe import CompressionRecipe
from edge_sv.system.array_types import Float32

Tensor = Any
CALIBRATION_BATCH = 16
KERNEL_BITS = 8
"""Of kernels that no rule names, and of depthwise ones always: they are few, and 4 bits cost them most."""


@tf_keras.utils.register_keras_serializable(package="edge_sv")
class AddConstant(tf_keras.layers.Layer):  # type: ignore[misc]
    """Add a constant.

    Args:
        constant: what is added.
        name: the layer's name.
    """

    def __init__(self, constant: float, *, name: str | None = None, dtype: Any = None, trainable: bool = True) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.constant = constant

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer."""
        return inputs + self.constant

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        return {**super().get_config(), "constant": self.constant}


@tf_keras.utils.register_keras_serializable(package="edge_sv")
class ReciprocalRoot(tf_keras.layers.Layer):  # type: ignore[misc]
    """Compute 1 / sqrt(x)."""

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer."""
        return tf.math.rsqrt(inputs)


@tf_keras.utils.register_keras_serializable(package="edge_sv")
class RoundInput(tf_keras.layers.Layer):  # type: ignore[misc]
    """Round to a symmetric range.

    Args:
        limit: its end.
        name: the layer's name.
    """

    def __init__(self, limit: float, *, name: str | None = None, dtype: Any = None, trainable: bool = True) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.limit = limit

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer."""
        return round_to(inputs, (-self.limit, self.limit))

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        return {**super().get_config(), "limit": self.limit}


def expand_layers(model: tf_keras.Model, *, clip: float | None = None) -> tf_keras.Model:
    """Copy a net, its weights too, with a layer for each operator that it becomes on the device.

    Args:
        model: the net.
        clip: end of the input's range; None leaves the input as it is. It matters to a converter, but its rounding is
            far below what speech varies by, and no weight can change it.
    """
    config = model.get_config()
    (features, _, _), entries = config["input_layers"][0], []
    for entry in config["layers"]:
        if clip is not None:
            entry["inbound_nodes"] = [
                [[features + INPUT if source[0] == features else source[0], *source[1:]] for source in call]
                for call in entry["inbound_nodes"]
            ]
        name, layer = entry["name"], model.get_layer(entry["name"])
        if isinstance(layer, InverseSquareRoot):
            entries.append(_entry(AddConstant(layer.epsilon, name=name + SHIFT), entry["inbound_nodes"][0][0][0]))
            entry = _entry(ReciprocalRoot(name=name), name + SHIFT)
        entries.append(entry)
        if clip is not None and name == features:
            entries.append(_entry(RoundInput(clip, name=features + INPUT), features))
    copy = tf_keras.Model.from_config({**config, "layers": entries})
    values = {weight.name: weight.numpy() for weight in model.weights}
    copy.set_weights([values[weight.name] for weight in copy.weights])
    return copy


def with_rounded_activations(model: tf_keras.Model, ranges: Mapping[str, Range], *, clip: float) -> tf_keras.Model:
    """Copy a net so that it rounds its activations to given ranges: what a converter makes an int8 model of.

    Args:
        model: the plain net.
        ranges: as `QuantizationAware.finish` left them.
        clip: end of the input's range.

    Raises:
        UsageError: the ranges are not this net's.
    """
    spelled = expand_layers(model, clip=clip)
    plan = plan_activations(spelled)
    if set(ranges) != set(plan.rounded.values()):
        different = sorted(set(ranges) ^ set(plan.rounded.values()))
        raise UsageError("the ranges are not of this net", details={"first difference": different[0]})
    fixed = {**{name: ranges[group] for name, group in plan.rounded.items()}, **plan.fixed}
    return wrap(spelled, {name: LayerConfig(None, FixedRange(ends)) for name, ends in fixed.items()})


class QuantizationAware:
    """A net's form in quantization-aware training; see `edge_sv.compress.method`.

    Args:
        kernels: layer -> how its kernel is rounded.
        around: makes of an activation's quantizer the one that is used.
    """

    def __init__(
        self,
        kernels: Mapping[str, KernelQuantizer],
        *,
        around: Callable[[Quantizer], Quantizer] = lambda quantizer: quantizer,
    ) -> None:
        self._kernels, self._around = kernels, around
        self._plan = Activations({}, {})
        self._places: dict[tuple[str, str], int] = {}
        self._ends: dict[str, tuple[int, ...]] = {}

    def trainable(self, model: tf_keras.Model, crops: Crops) -> tf_keras.Model:
        """Return the net that rounds, from the float net's weights, its ranges calibrated on crops of speech.

        Raises:
            UsageError: a layer of a kind that cannot be rounded.
        """
        plain = expand_layers(model)
        self._plan = plan_activations(plain)
        ranges = {group: LearnedRange() for group in self._plan.rounded.values()}
        outputs: dict[str, Quantizer] = {name: ranges[group] for name, group in self._plan.rounded.items()}
        outputs |= {name: FixedRange(ends) for name, ends in self._plan.fixed.items()}
        outputs = {name: self._around(quantizer) for name, quantizer in outputs.items()}
        configs = {
            name: LayerConfig(self._kernels.get(name), outputs.get(name)) for name in {**outputs, **self._kernels}
        }
        net = wrap(plain, configs)
        for name, kernel in self._kernels.items():
            weight = kernel_of(plain.get_layer(name))
            weight.assign(kernel.rounded(weight.numpy()))
        for group, ends in measure_ranges(plain, self._plan, crops()).items():
            ranges[group].start_at(ends)
        place = {id(weight): number for number, weight in enumerate(net.weights)}
        self._places = {key: place[id(weight)] for key, weight in _weights(net)}
        self._ends = {group: tuple(place[id(weight)] for weight in ranges[group].weights) for group in ranges}
        return net

    def begin_epoch(self, _epoch: int) -> bool:
        """Prepare nothing: everything is rounded from the first step on."""
        return False

    def finish(self, net: tf_keras.Model, trained: Sequence[Float32]) -> Extras:
        """Put trained weights into the plain net and round its kernels for good; ranges come as a file."""
        values = {key: trained[place] for key, place in self._places.items()}
        for key, weight in _weights(net):
            weight.assign(values[key])
        palettes = {}
        for name, kernel in self._kernels.items():
            layer = net.get_layer(name)
            weight = kernel_of(layer)
            if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
                weight.assign(kernel.rounded(weight.numpy()))
            else:
                own = {part: value for (owner, part), value in values.items() if owner == name}
                palettes[name] = kernel.palette(weight.numpy(), own)
                weight.assign(palettes[name].weights())
        ranges = {group: grown(*(trained[place] for place in places)) for group, places in self._ends.items()}
        return Extras(palettes, {RANGES_FILE: encode_ranges(ranges)})


def measure_ranges(model: tf_keras.Model, plan: Activations, crops: Float32) -> dict[str, Range]:
    """Measure what activations range over; of those that share a range all together.

    Args:
        model: the net, spelled out, its kernels rounded.
        plan: its integer tensors.
        crops: (num_crops, frames, num_mels, 1) of speech.
    """
    names = list(plan.rounded)
    tap = tf_keras.Model(model.input, [model.get_layer(name).output for name in names])
    ends = tf.function(lambda x: [(tf.reduce_min(y), tf.reduce_max(y)) for y in tap(x, training=False)])
    parts = [crops[start : start + CALIBRATION_BATCH] for start in range(0, len(crops), CALIBRATION_BATCH)]
    seen = np.array([ends(tf.constant(part)) for part in parts])
    ranges: dict[str, Range] = {}
    for place, name in enumerate(names):
        low, high = ranges.get(plan.rounded[name], (0.0, 0.0))
        ranges[plan.rounded[name]] = min(low, float(seen[:, place, 0].min())), max(high, float(seen[:, place, 1].max()))
    return {group: (low, high) if high > low else (low, low + 1.0) for group, (low, high) in ranges.items()}


def quantization_aware_method(model: tf_keras.Model, recipe: CompressionRecipe, _epochs: int = 0) -> QuantizationAware:
    """Read off a recipe which kernels have how many bits; convolutions without a rule have 8.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    convolutions = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D)
    layers = {layer.name: layer for layer in model.layers if isinstance(layer, convolutions)}
    bits = dict.fromkeys(layers, KERNEL_BITS)
    bits |= {name: rule.weights for name, rule in recipe.assign(layers).items()}
    for name, layer in layers.items():
        if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
            bits[name] = KERNEL_BITS
    return QuantizationAware({name: KernelRange.of(layer, bits[name]) for name, layer in layers.items()})


def _weights(net: tf_keras.Model) -> Iterator[tuple[tuple[str, str], tf.Variable]]:
    """Yield a net's weights, each by the plain name of its layer and its own."""
    for layer in net.layers:
        for weight in layer.weights:
            yield (layer.name.removeprefix(ROUNDING), weight.name.removesuffix(":0").rsplit("/", 1)[-1]), weight


def _entry(layer: tf_keras.layers.Layer, source: str) -> dict[str, Any]:
    """Describe a layer that reads another as a net's configuration does."""
    described = tf_keras.saving.serialize_keras_object(layer)
    return {**described, "name": layer.name, "inbound_nodes": [[[source, 0, 0, {}]]]}
