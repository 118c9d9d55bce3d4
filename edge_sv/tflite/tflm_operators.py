"""What a device's program must know of a .tflite: its operators in TensorFlow Lite Micro's words, and its grids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import DECODE, operators, tensor_scale, tensor_shape
from edge_sv.tflite.quantization import TensorFormat, not_int8

# The operators of the schema for which MicroMutableOpResolver has an Add method.
# Source: tflite-micro, tensorflow/lite/micro/micro_mutable_op_resolver.h.
TFLM_OPERATORS = frozenset(
    "ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS "
    "BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D "
    "DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV "
    "FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D "
    "LEAKY_RELU LESS LESS_EQUAL LOG LOG_SOFTMAX LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAX_POOL_2D MAXIMUM "
    "MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX "
    "REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE "
    "SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE "
    "STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE "
    "WHILE ZEROS_LIKE".split()
)
_IRREGULAR = {
    DECODE: "AddDecode",
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


_TYPE_NAMES = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}


def used_operators(model: Any) -> list[str]:
    """List the kinds of operators in a parsed .tflite, each once, sorted."""
    return sorted({operator.kind for operator in operators(model)})


def resolver_method(kind: str) -> str:
    """Return the MicroMutableOpResolver method that registers an operator, `CONV_2D` -> `AddConv2D`.

    Raises:
        DataError: TensorFlow Lite Micro has none.
    """
    if kind not in TFLM_OPERATORS and kind != DECODE:
        raise DataError(
            f"operator {kind} does not exist in TensorFlow Lite Micro",
            hint="build for --target tflite, or express it by other operators",
        )
    regular = "Add" + "".join(part.capitalize() for part in kind.split("_"))
    return _IRREGULAR.get(kind, re.sub(r"(\d)d$", r"\1D", regular))


def resolver_methods(kinds: Iterable[str]) -> list[str]:
    """Return the methods of several operators; see `resolver_method`."""
    return [resolver_method(kind) for kind in kinds]


def convolution_filters(model: Any) -> list[tuple[int, ...]]:
    """List the filter shapes, (out, height, width, in), of a parsed .tflite's convolutions."""
    tensors = model.subgraphs[0].tensors
    return [tensor_shape(tensors[op.inputs[1]]) for op in operators(model) if op.kind == "CONV_2D"]


def tensor_formats(model: Any) -> tuple[TensorFormat, TensorFormat]:
    """Read the grids of a parsed .tflite's one input and one output.

    Raises:
        DataError: there are more of them, or they are not int8 with one scale.
    """
    graph = model.subgraphs[0]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise not_int8(f"{len(graph.inputs)} inputs, {len(graph.outputs)} outputs")
    first, last = (_format(graph.tensors[i]) for i in (graph.inputs[0], graph.outputs[0]))
    return first, last


def _format(tensor: Any) -> TensorFormat:
    grid = tensor_scale(tensor)
    if tensor.type != schema.TensorType.INT8 or grid is None or len(grid[0]) != 1:
        raise not_int8(f"{_TYPE_NAMES[tensor.type]} with {0 if grid is None else len(grid[0])} scales")
    return TensorFormat(tensor_shape(tensor), float(grid[0][0]), int(grid[1][0]))
