"""Put compressed weights into a converted graph exactly as they were learned.

A converter that sees only float weights chooses scales of its own, and the values of a palette no longer fall on few
integers. So the graph is converted first, which settles its operators and the ranges of its activations; then each
compressed layer gets its palette's int8 codes, or int4 where they fit, with the scale of each output channel, and a
bias to match.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edge_sv.artifacts.palette import Palette
from edge_sv.errors import DataError
from edge_sv.system.array_types import Int8
from edge_sv.tflite.flatbuffer import WEIGHTED, Operator, operators, tensor_data, tensor_name, tensor_scale

INT4_MAX = 7


def write_palettes(graph: Any, float_graph: Any, palettes: Mapping[str, Palette]) -> None:
    """Replace weights, scales and biases of the compressed layers.

    Args:
        graph: the int8 model's object tree, tensors named `<layer>/weights`; it is changed, and keeps buffers that
            nothing uses any more.
        float_graph: the same net converted without quantization, batch normalizations folded.
        palettes: layer -> palette.

    Raises:
        DataError: a layer is not in the graph as one operator, or does not hold its palette's values.
    """
    places = {_layer(graph, operator): operator for operator in operators(graph) if operator.kind in WEIGHTED}
    floats = {
        _layer(float_graph, operator): operator for operator in operators(float_graph) if operator.kind in WEIGHTED
    }
    for layer, palette in palettes.items():
        if layer not in places or layer not in floats:
            raise DataError(f"compressed layer '{layer}' is not an operator of the converted graph")
        codes = np.ascontiguousarray(palette.codes.transpose(3, 0, 1, 2))
        _write_layer(graph, places[layer], codes, _constants(float_graph, floats[layer]), layer)


def _layer(graph: Any, operator: Operator) -> str:
    return tensor_name(graph.subgraphs[0].tensors[operator.inputs[1]]).removesuffix("/weights")


def _constants(graph: Any, operator: Operator) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    tensors = graph.subgraphs[0].tensors
    weights, bias = (tensor_data(graph, tensors[i]) if i >= 0 else None for i in (*operator.inputs[1:], -1)[:2])
    assert weights is not None, "a convolution's weights are constant"
    return weights, bias


def _write_layer(
    graph: Any, operator: Operator, codes: Int8, wanted: tuple[npt.NDArray[Any], npt.NDArray[Any] | None], layer: str
) -> None:
    """Write codes (out, height, width, in), and the scales at which they are the float weights."""
    tensors = graph.subgraphs[0].tensors
    weights, bias = wanted
    rows, target = codes.reshape(len(codes), -1).astype(np.float64), weights.reshape(len(codes), -1).astype(np.float64)
    energy = np.sum(rows**2, axis=1)
    scales = np.where(energy > 0, np.sum(rows * target, axis=1) / np.maximum(energy, 1), 0.0)
    if np.abs(rows * scales[:, None] - target).max() > 1e-4 * np.abs(target).max():
        raise DataError(f"layer '{layer}' does not hold the values of its palette", hint="compress the net again")
    # Folding a batch normalization with a negative factor turns a channel's sign; a scale must be positive.
    codes = np.where(scales < 0, -1, 1).astype(np.int8).reshape(-1, 1, 1, 1) * codes
    floor = max(float(np.abs(scales).max()), 1e-30) * 1e-6
    scales = np.maximum(np.abs(scales), floor)
    step = int(np.gcd.reduce(np.abs(codes.astype(np.int64)).ravel()))
    tensor = tensors[operator.inputs[1]]
    if step and np.abs(codes).max() // step <= INT4_MAX:
        codes, scales = (codes // step).astype(np.int8), scales * step
        tensor.type = schema.TensorType.INT4
        _set_data(graph, tensor, _pack_int4(codes))
    else:
        _set_data(graph, tensor, codes.view(np.uint8).ravel())
    scales = scales.astype(np.float32)
    _set_scales(tensor, scales)
    given = tensor_scale(tensors[operator.inputs[0]])
    assert given is not None, "the graph is quantized"
    if bias is not None:
        exact = given[0].astype(np.float64) * scales.astype(np.float64)
        tensor = tensors[operator.inputs[2]]
        limit = np.iinfo(np.int32)
        values = np.clip(np.rint(bias.astype(np.float64) / exact), limit.min, limit.max).astype(np.int32)
        _set_data(graph, tensor, values.view(np.uint8).ravel())
        _set_scales(tensor, exact.astype(np.float32))


def _set_data(graph: Any, tensor: Any, data: npt.NDArray[np.uint8]) -> None:
    """Give a tensor a buffer of its own; the old one may be another tensor's too."""
    buffer = schema.BufferT()
    buffer.data = data
    graph.buffers.append(buffer)
    tensor.buffer = len(graph.buffers) - 1


def _set_scales(tensor: Any, scales: npt.NDArray[np.float32]) -> None:
    tensor.quantization.scale = scales
    tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
    tensor.quantization.quantizedDimension = 0


def _pack_int4(codes: Int8) -> npt.NDArray[np.uint8]:
    """Pack two values a byte, the first in the low bits, as TensorFlow Lite stores int4."""
    flat = codes.ravel().astype(np.uint8) & 0xF
    padded = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    return np.asarray(padded[0::2] | (padded[1::2] << 4), np.uint8)
