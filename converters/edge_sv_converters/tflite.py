"""Keras -> int8 .tflite: full-integer post-training quantization, weights per output channel, int8 in and out.

Weights that a recipe has compressed keep the values it gave them, see `palettes`; all others become int8.

The graph has batch 1 and a fixed number of frames, so that every shape is known and TensorFlow Lite Micro can plan its
memory. What TensorFlow writes is then brought into one form: layers carry the Keras net's names, conversion metadata
is left out, constants are aligned. Same net, same calibration, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edge_sv.artifact import ModelArtifact, net_sha256
from edge_sv.compress.recipe import load_recipe
from edge_sv.converter import Calibration
from edge_sv.errors import DataError, UsageError
from edge_sv.features import Float32
from edge_sv.flatbuffer import WEIGHTED, operators, pack_model, parse_model, profile_operators, tensor_name
from edge_sv.native_log import held_native_log
from edge_sv.palette import Palette, load_palettes
from edge_sv_converters.palettes import write_palettes

# Operators that TensorFlow Lite Micro computes in int8 exactly as LiteRT's reference kernels do. Left out on purpose:
# SQRT, LOG, EXP (no int8 kernel), SUM and DIV (the two disagree), TILE, POW, GELU (TFLM has none).
# fmt: off
OPERATORS = frozenset({
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "HARD_SWISH",
    "LOGISTIC", "MAX_POOL_2D", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6",
    "RESHAPE", "RSQRT", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE",
})
# fmt: on


class TfliteConverter:
    """The `tflite` converter: 8-bit activations with ranges set in advance, weights as the recipe has them."""

    name = "tflite"
    version = "1"

    def convert(self, net: Path, recipe: str, calibration: Calibration) -> ModelArtifact:
        """Convert a float net's folder to int8.

        Raises:
            UsageError: unknown recipe, or the net is compressed by none or by another.
            DataError: the net or the calibration cannot be used, or the net needs an operator that has no exact int8
                kernel in TensorFlow Lite Micro.
        """
        model, description, palettes = _load(net)
        if load_recipe(recipe).compresses != bool(palettes):
            state = "compressed" if palettes else "not compressed"
            raise UsageError(f"recipe '{recipe}' does not fit {net}", details={"got": f"a net that is {state}"})
        wanted = (description.segments.frames, description.features.num_mels)
        if calibration.segments.shape[1:] != wanted:
            raise DataError("calibration does not fit the net", details={"got": str(calibration.segments.shape[1:])})
        converter = _converter(model, description.segments.frames, description.features.num_mels)
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _representative(calibration.segments, description.features.clip)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        with held_native_log():
            graph = _tidy(converter.convert(), model)
        _check_operators(graph)
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
            recipe=recipe,
            layers=profile_operators(graph),
            provenance={
                "float_sha256": net_sha256(net),
                "converter": f"{self.name} {self.version}",
                "tensorflow": version("tensorflow"),
                "calibration": {"source": calibration.source, "segments": len(calibration.segments)},
            },
        )

    def convert_float(self, net: Path) -> bytes:
        """Convert a float net's folder without quantization; tensors have the names that `convert` gives them."""
        model, description, _ = _load(net)
        converter = _converter(model, description.segments.frames, description.features.num_mels)
        with held_native_log():
            return pack_model(_tidy(converter.convert(), model))


def _load(net: Path) -> tuple[Any, Any, dict[str, Palette]]:
    with held_native_log():
        from edge_sv.models.checkpoint import load_net

        return *load_net(net), load_palettes(net)


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


def _tidy(data: bytes, model: Any) -> Any:
    """Parse what TensorFlow wrote; name tensors after layers, drop what describes the conversion and not the net."""
    graph = parse_model(data)
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
        layer = _layer_name(tensor_name(subgraph.tensors[output]), layers)
        layer = model.output_names[0] if output == subgraph.outputs[0] else layer
        names[output] = _fresh(layer, operator.kind, set(names.values()))
        for position, index in enumerate(operator.inputs):
            part = ("input", "weights", "bias")[position] if operator.kind in WEIGHTED else "constant"
            names.setdefault(index, f"{names[output]}/{part}")
    for index, name in names.items():
        if index >= 0:
            subgraph.tensors[index].name = name.encode()


def _layer_name(tensor: str, known: set[str]) -> str:
    """Find the layer in TensorFlow's name of a fused tensor: `net/conv_relu/Relu;net/conv/Conv2D` -> `conv`."""
    parts = tensor.rsplit(";", 1)[-1].split("/")
    return next((part for part in reversed(parts) if part in known), tensor)


def _fresh(layer: str, kind: str, taken: set[str]) -> str:
    """Tell apart the operators of one layer: `pool_rsqrt`, `pool_rsqrt_rsqrt`, `pool_rsqrt_3`."""
    candidates = [layer, f"{layer}_{kind.lower()}", *(f"{layer}_{number}" for number in range(3, len(taken) + 4))]
    return next(name for name in candidates if name not in taken)
