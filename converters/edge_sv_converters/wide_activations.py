"""Nets with 16-bit activations: int16 within, int8 at the ends.

TensorFlow Lite gives such a net float ends. What a device hands in are int8 features and what it stores are int8
embeddings, with 8-bit activations as with 16; so the ends become int8, and the QUANTIZE and DEQUANTIZE operators that
stand there change between int8 and int16. Source of the form, int16 activations, int8 weights, int64 biases:
TensorFlow Lite's 16x8 quantization.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import operators, tensor_scale

STEPS_PER_STEP = 256
"""Steps of an int16 scale in one of the int8 scale with the same range."""


def make_io_int8(graph: Any, *, clip: float) -> None:
    """Give a net with float ends int8 ones.

    Args:
        graph: the model's object tree; it is changed.
        clip: end of the input's range.

    Raises:
        DataError: the graph does not begin and end where it is quantized.
    """
    subgraph, found = graph.subgraphs[0], operators(graph)
    first, last = found[0], found[-1]
    ends = (first.kind, last.kind, first.inputs[0], last.outputs[0])
    if ends != ("QUANTIZE", "DEQUANTIZE", subgraph.inputs[0], subgraph.outputs[0]):
        raise DataError(
            "the net does not begin and end where it is quantized", details={"got": f"{ends[0]}, {ends[1]}"}
        )
    wide = tensor_scale(subgraph.tensors[last.inputs[0]])
    assert wide is not None, "what is dequantized has a scale"
    _make_int8(subgraph.tensors[first.inputs[0]], 2 * clip / 255)
    _make_int8(subgraph.tensors[last.outputs[0]], float(wide[0][0]) * STEPS_PER_STEP)
    subgraph.operators[-1].opcodeIndex = subgraph.operators[0].opcodeIndex
    subgraph.operators[-1].builtinOptionsType = subgraph.operators[0].builtinOptionsType
    subgraph.operators[-1].builtinOptions = subgraph.operators[0].builtinOptions
    used = sorted({operator.opcodeIndex for operator in subgraph.operators})
    graph.operatorCodes = [graph.operatorCodes[index] for index in used]
    for operator in subgraph.operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def _make_int8(tensor: Any, scale: float) -> None:
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.zeros(1, np.int64)
