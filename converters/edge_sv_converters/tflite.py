"""Keras -> int8 .tflite: full-integer post-training quantization, weights per output channel, int8 in and out.

Weights that a recipe has compressed keep the values it gave them, see `palettes`; all others become int8. Activations
have the ranges that the calibration shows, or those that the net was trained with.

The graph has batch 1 and a fixed number of frames, so that every shape is known and TensorFlow Lite Micro can plan its
memory. What TensorFlow writes is then brought into one form: layers carry the Keras net's names, conversion metadata
is left out, constants are aligned. Same net, same calibration, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_sv.artifacts.activation_ranges import Range, load_ranges, plain_name
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.net import net_sha256
from edge_sv.artifacts.palette import Palette, load_palettes
from edge_sv.artifacts.provenance import Provenance
from edge_sv.errors import DataError, UsageError
from edge_sv.plugins.converter import Calibration
from edge_sv.recipes.recipe import CompressionRecipe
from edge_sv.system.array_types import Float32
from edge_sv.system.extras import require_extras
from edge_sv.system.native_log import held_native_log
from edge_sv.tflite.flatbuffer import WEIGHTED, operators, pack_model, parse_model, profile_operators, tensor_name
from edge_sv_converters.palettes import write_palettes
from edge_sv_converters.wide_activations import make_io_int8

# Operators that TensorFlow Lite Micro computes in int8 exactly as LiteRT's reference kernels do. Left out on purpose:
# SQRT, LOG, EXP (no int8 kernel), SUM and DIV (the two disagree), TILE, POW, GELU (TFLM has none).
# fmt: off
OPERATORS = frozenset({
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "HARD_SWISH",
    "LOGISTIC", "MAX_POOL_2D", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6",
    "RESHAPE", "RSQRT", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE",
})
# fmt: on
FAKE_QUANT = "FakeQuant"
"""In TensorFlow's names of operators that only round, which no layer is."""
WIDE = 16
"""Bits of an activation, where a recipe asks for more than 8."""


class TfliteConverter:
    """The `tflite` converter: activations with ranges set in advance, weights as the recipe has them."""

    name = "tflite"
    version = "1"

    def convert(self, net: Path, recipe: CompressionRecipe, calibration: Calibration) -> ModelArtifact:
        """Convert a float net's folder to int8.

        Raises:
            UsageError: the net is compressed by no recipe or by one of another kind.
            DataError: the net or the calibration cannot be used, or the net needs an operator that has no exact int8
                kernel in TensorFlow Lite Micro.
        """
        (model, description, palettes), ranges = _load(net), load_ranges(net)
        if (recipe.compresses, recipe.rounds_activations) != (bool(palettes), bool(ranges)):
            raise _other_compression(net, recipe, palettes=bool(palettes), ranges=bool(ranges))
        if calibration.segments.shape[1:] != (description.segments.frames, description.features.num_mels):
            raise DataError("calibration does not fit the net", details={"got": str(calibration.segments.shape[1:])})
        with held_native_log():
            if ranges:
                graph = _tidy(_convert_trained(model, description, ranges), model)
            else:
                graph = _convert_calibrated(model, description, calibration.segments, bits=recipe.activation_bits)
        _check_operators(graph)
        _check_integer(graph)
        if palettes:
            write_palettes(graph, parse_model(self.convert_float(net)), palettes)
            _drop_unused_buffers(graph)
        return ModelArtifact(
            name=description.name,
            kind="tflite",
            model=pack_model(graph),
            features=description.features,
            segments=description.segments,
            embedding_dim=int(model.output_shape[-1]),
            recipe=recipe.name,
            layers=profile_operators(graph),
            provenance=self._provenance(net, description, recipe, None if ranges else calibration),
        )

    def _provenance(
        self, net: Path, description: Any, recipe: CompressionRecipe, calibration: Calibration | None
    ) -> Provenance:
        """State where a model comes from; without calibration, training set the ranges of its activations."""
        speech = ("the net's training", 0) if calibration is None else (calibration.source, len(calibration.segments))
        return Provenance(
            {
                "float_sha256": net_sha256(net),
                "converter": f"{self.name} {self.version}",
                "tensorflow": version("tensorflow"),
                "compression": recipe.to_dict(),
                **{key: description.provenance[key] for key in ("widths",) if key in description.provenance},
                "calibration": dict(zip(("source", "segments"), speech, strict=True)),
            }
        )

    def convert_float(self, net: Path) -> bytes:
        """Convert a float net's folder without quantization; tensors have the names that `convert` gives them."""
        model, description, _ = _load(net)
        converter = _converter(model, description.segments.frames, description.features.num_mels)
        with held_native_log():
            return pack_model(_tidy(converter.convert(), model))


def _load(net: Path) -> tuple[Any, Any, dict[str, Palette]]:
    require_extras("train", purpose="converting a float net")
    with held_native_log():
        from edge_sv.models.checkpoint import load_net

        return *load_net(net), load_palettes(net)


def _other_compression(net: Path, recipe: CompressionRecipe, *, palettes: bool, ranges: bool) -> UsageError:
    state = "compressed" if palettes else "not compressed"
    state += ", trained with rounded activations" if ranges else ""
    return UsageError(f"recipe '{recipe.name}' does not fit {net}", details={"got": f"a net that is {state}"})


def _convert_calibrated(model: Any, description: Any, segments: Float32, *, bits: int) -> Any:
    """Convert to integers with the ranges that activations have on these segments, 8 or 16 bits wide."""
    import tensorflow as tf

    clip, kinds = description.features.clip, tf.lite.OpsSet
    converter = _converter(model, description.segments.frames, description.features.num_mels)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _representative(segments, clip)
    if bits == WIDE:
        converter.target_spec.supported_ops = [kinds.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
        return _tidy(converter.convert(), model, narrow=clip)
    converter.target_spec.supported_ops = [kinds.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return _tidy(converter.convert(), model)


def _convert_trained(model: Any, description: Any, ranges: Mapping[str, Range]) -> bytes:
    """Convert to int8 with the ranges that activations were trained with."""
    import tensorflow as tf

    from edge_sv.compress.quantization_aware import with_rounded_activations

    rounded = with_rounded_activations(model, ranges, clip=description.features.clip)
    converter = _converter(rounded, description.segments.frames, description.features.num_mels)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _converter(model: Any, frames: int, num_mels: int) -> Any:
    import tensorflow as tf

    shape = [1, frames, num_mels, 1]
    run = tf.function(lambda features: model(features, training=False), autograph=False)
    concrete = run.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="features"))
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)


def _representative(segments: Float32, clip: float) -> Iterator[list[Float32]]:
    """Yield the segments; the first one holds -clip and +clip, so the input's scale is the front end's exact range."""
    first = segments[:1, :, :, np.newaxis].copy()
    first[0, 0, :2, 0] = -clip, clip
    yield [first]
    for segment in segments[1:]:
        yield [segment[np.newaxis, :, :, np.newaxis]]


def _check_operators(graph: Any) -> None:
    for operator in operators(graph):
        if operator.kind not in OPERATORS:
            layer = tensor_name(graph.subgraphs[0].tensors[operator.outputs[0]])
            raise DataError(
                f"layer '{layer}' becomes {operator.kind}, which TensorFlow Lite Micro lacks in exact int8",
                details={"known": ", ".join(sorted(OPERATORS))},
                hint="write std as v * rsqrt(v + eps), sums as means, and expand by adding",
            )


def _check_integer(graph: Any) -> None:
    """Refuse a graph in which something is computed in floats: its ranges did not reach every operator."""
    tensors = graph.subgraphs[0].tensors
    for operator in operators(graph):
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0 and tensors[index].type == schema.TensorType.FLOAT32:
                layer = tensor_name(tensors[operator.outputs[0]])
                raise DataError(
                    f"layer '{layer}' ({operator.kind}) is left in floats by the converter",
                    hint="build that layer from operators that int8 kernels compute",
                )


def _tidy(data: bytes, model: Any, *, narrow: float | None = None) -> Any:
    """Parse what TensorFlow wrote; name tensors after layers, drop what describes the conversion and not the net.

    Args:
        data: the .tflite.
        model: the net that it was made of.
        narrow: end of the input's range, for a net with float ends that is to get int8 ones.
    """
    graph = parse_model(data)
    if narrow is not None:
        make_io_int8(graph, clip=narrow)
    graph.metadata = graph.metadataBuffer = graph.signatureDefs = None
    graph.description = b"edge_sv"
    _drop_unused_buffers(graph)
    _name_tensors(graph, model)
    for tensor in graph.subgraphs[0].tensors:
        if tensor.quantization is not None:
            tensor.quantization.min = tensor.quantization.max = None
    return graph


def _drop_unused_buffers(graph: Any) -> None:
    tensors = [tensor for subgraph in graph.subgraphs for tensor in subgraph.tensors]
    used = sorted({0, *(tensor.buffer for tensor in tensors)})
    place = {old: new for new, old in enumerate(used)}
    graph.buffers = [graph.buffers[old] for old in used]
    for tensor in tensors:
        tensor.buffer = place[tensor.buffer]


def _name_tensors(graph: Any, model: Any) -> None:
    """Name each operator's output after its Keras layer, and each constant after the layer that uses it first."""
    import tf_keras

    subgraph = graph.subgraphs[0]
    layers = {module.name for module in model.submodules if isinstance(module, tf_keras.layers.Layer)}
    names = {subgraph.inputs[0]: "features", -1: ""}
    for operator in operators(graph):
        output = operator.outputs[0]
        given = tensor_name(subgraph.tensors[output])
        layer = _layer_name(given, layers) or names.get(operator.inputs[0], given)
        layer = model.output_names[0] if output == subgraph.outputs[0] else layer
        names[output] = _fresh(layer, operator.kind, set(names.values()))
        for position, index in enumerate(operator.inputs):
            part = ("input", "weights", "bias")[position] if operator.kind in WEIGHTED else "constant"
            names.setdefault(index, f"{names[output]}/{part}")
    for index, name in names.items():
        if index >= 0:
            subgraph.tensors[index].name = name.encode()


def _layer_name(tensor: str, known: set[str]) -> str | None:
    """Find the layer in TensorFlow's name of a fused tensor: `net/conv_relu/Relu;net/conv/Conv2D` -> `conv`."""
    fused = [name for name in tensor.split(";") if FAKE_QUANT not in name] or [tensor]
    parts = [plain_name(part) for part in fused[-1].split("/")]
    return next((part for part in reversed(parts) if part in known), None)


def _fresh(layer: str, kind: str, taken: set[str]) -> str:
    """Tell apart the operators of one layer: `pool_rsqrt`, `pool_rsqrt_rsqrt`, `pool_rsqrt_3`."""
    candidates = [layer, f"{layer}_{kind.lower()}", *(f"{layer}_{number}" for number in range(3, len(taken) + 4))]
    return next(name for name in candidates if name not in taken)
