"""Read, check and write .tflite files: operators, tensors, and what each operator costs."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edge_sv.errors import DataError
from edge_sv.tflite.layer_cost import LayerProfile

FILE_IDENTIFIER = b"TFL3"
BUFFER_ALIGNMENT = 16
"""Bytes; kernels on microcontrollers load weights and biases by words from where they lie in the file."""

OPERATOR_NAMES: dict[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_TYPES: dict[int, tuple[type[np.generic] | None, int]] = {
    schema.TensorType.FLOAT32: (np.float32, 32),
    schema.TensorType.FLOAT16: (np.float16, 16),
    schema.TensorType.INT32: (np.int32, 32),
    schema.TensorType.INT64: (np.int64, 64),
    schema.TensorType.UINT8: (np.uint8, 8),
    schema.TensorType.BOOL: (np.bool_, 8),
    schema.TensorType.INT16: (np.int16, 16),
    schema.TensorType.INT8: (np.int8, 8),
    schema.TensorType.INT4: (None, 4),
}
DECODE = "TFLM_DECODE"
"""Custom operator of TensorFlow Lite Micro that expands lookup tables; its inputs are pairs of indices and table."""
_TABLE_BITS = 5
"""Byte of a table's header whose low bits are an index's width."""
WEIGHTED = {"CONV_2D": (2, 4), "DEPTHWISE_CONV_2D": (2, 4), "FULLY_CONNECTED": (2, 2), "TRANSPOSE_CONV": (3, 4)}
"""Operators whose second input is weights -> how many inputs they need, and how many dimensions the weights have."""


@dataclass(frozen=True)
class Operator:
    """One operator of a model's graph.

    Args:
        kind: its name in the schema, `CONV_2D`.
        inputs: tensor indices; -1 is an input left out.
        outputs: tensor indices.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def parse_model(data: bytes) -> Any:
    """Read a .tflite file into the schema's object tree (`ModelT`), and check that its references hold.

    Interpreters trust a file's indices and sizes, and end the process where these lie; so a file that did not come
    with a checksum passes here first.

    Raises:
        DataError: not a .tflite file, or damaged.
    """
    if len(data) < 8 or data[4:8] != FILE_IDENTIFIER:
        raise DataError("not a .tflite file", details={"got": f"{len(data)} bytes without the mark TFL3"})
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        problem = _find_problem(model)
    except (struct.error, ValueError, TypeError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        raise _damaged(str(error)) from error
    if problem:
        raise _damaged(problem)
    return model


def pack_model(model: Any) -> bytes:
    """Write a schema object tree as a .tflite file, every buffer aligned to 16 bytes; same tree, same bytes."""
    builder = _AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Honours the schema's `force_align: 16` of byte vectors, which the generated Python code leaves out."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802
        wanted = BUFFER_ALIGNMENT if elemSize == 1 else alignment
        return int(super().StartVector(elemSize, numElems, wanted))


def operators(model: Any) -> list[Operator]:
    """List the operators of a model in the order they run."""
    kinds = [operator_kind(code) for code in model.operatorCodes]
    return [
        Operator(kinds[op.opcodeIndex], tuple(int(i) for i in op.inputs), tuple(int(i) for i in op.outputs))
        for op in model.subgraphs[0].operators
    ]


def operator_kind(code: Any) -> str:
    """Name an entry of a model's `operatorCodes`; a custom operator by its own name."""
    number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    kind = OPERATOR_NAMES.get(number, f"operator {number}")
    name = code.customCode
    if kind != "CUSTOM" or not name:
        return kind
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def tensor_name(tensor: Any) -> str:
    """Return a tensor's name as text."""
    name = tensor.name
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name or "")


def tensor_shape(tensor: Any) -> tuple[int, ...]:
    """Return a tensor's shape; () for a scalar."""
    return () if tensor.shape is None else tuple(int(n) for n in tensor.shape)


def tensor_data(model: Any, tensor: Any) -> npt.NDArray[Any] | None:
    """Return a constant tensor's values in its shape, None for a tensor that is computed; int4 stays packed."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    raw = np.asarray(data, np.uint8)
    dtype, _ = _TYPES[tensor.type]
    return raw if dtype is None else raw.view(dtype).reshape(tensor_shape(tensor))


def tensor_bits(tensor: Any) -> int:
    """Return the bits of a tensor's values."""
    return _TYPES[tensor.type][1]


def tensor_scale(tensor: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]] | None:
    """Return a tensor's scales and zero points, None when it is not quantized."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) == 0:
        return None
    return np.asarray(quantization.scale, np.float32), np.asarray(quantization.zeroPoint, np.int64)


def profile_operators(model: Any) -> tuple[LayerProfile, ...]:
    """Describe what each operator costs; a constant that several share counts where it is first used.

    Lookup tables count where their values go, and the operators that expand them are left out.
    """
    seen, decoded = {0}, decoded_tensors(model)
    return tuple(_profile(model, operator, seen, decoded) for operator in operators(model) if operator.kind != DECODE)


def decoded_tensors(model: Any) -> dict[int, tuple[int, int]]:
    """Find the tensors that DECODE operators expand; returns each one's number -> those of its indices and table."""
    tensors = model.subgraphs[0].tensors
    found: dict[int, tuple[int, int]] = {}
    for operator in operators(model):
        if operator.kind == DECODE:
            pairs = zip(operator.inputs[::2], operator.inputs[1::2], strict=False)
            found |= dict(zip(operator.outputs, pairs, strict=False))
    return {i: pair for i, pair in found.items() if all(n >= 0 and _is_constant(model, tensors[n]) for n in pair)}


def _profile(model: Any, operator: Operator, seen: set[int], decoded: Mapping[int, tuple[int, int]]) -> LayerProfile:
    tensors = model.subgraphs[0].tensors
    output = tensors[operator.outputs[0]]
    constants = [i for i in operator.inputs if i >= 0 and (i in decoded or _is_constant(model, tensors[i]))]
    weights = constants if operator.kind in WEIGHTED else []
    weight_bytes = 0
    for index in [part for i in constants for part in (i, *decoded.get(i, ()))]:
        tensor = tensors[index]
        weight_bytes += 0 if tensor.buffer in seen else len(model.buffers[tensor.buffer].data)
        weight_bytes += 0 if -1 - index in seen else scale_bytes(tensor)
        seen.update((tensor.buffer, -1 - index))
    return LayerProfile(
        name=tensor_name(output),
        kind=operator.kind,
        output_shape=tensor_shape(output)[1:],
        parameters=sum(_count(tensors[i]) for i in weights),
        weight_bits=weight_bits(model, weights[0], decoded) if weights else 0,
        weight_bytes=weight_bytes,
        macs=_macs(operator, [tensor_shape(tensors[i]) for i in operator.inputs if i >= 0], tensor_shape(output)),
    )


def weight_bits(model: Any, index: int, decoded: Mapping[int, tuple[int, int]]) -> int:
    """Return the bits of a weight, or of its index where it comes out of a table."""
    tensors = model.subgraphs[0].tensors
    if index not in decoded:
        return tensor_bits(tensors[index])
    table = tensor_data(model, tensors[decoded[index][1]])
    return 0 if table is None or len(table) <= _TABLE_BITS else int(table[_TABLE_BITS]) & 7


def _macs(operator: Operator, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    """Count multiply-accumulates; TFLite's weight layouts are OHWI, 1HWC, OI."""
    outputs = math.prod(output)
    if operator.kind == "CONV_2D":
        return outputs * math.prod(inputs[1][1:])
    if operator.kind == "DEPTHWISE_CONV_2D":
        return outputs * inputs[1][1] * inputs[1][2]
    if operator.kind == "FULLY_CONNECTED":
        return outputs * inputs[1][1]
    if operator.kind == "TRANSPOSE_CONV":
        return math.prod(inputs[2]) * math.prod(inputs[1][:3])
    return 0


def scale_bytes(tensor: Any) -> int:
    """Count the bytes of a tensor's scales and zero points."""
    scale = tensor_scale(tensor)
    return 0 if scale is None else scale[0].nbytes + scale[1].nbytes


def _is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _count(tensor: Any) -> int:
    return math.prod(tensor_shape(tensor))


def _find_problem(model: Any) -> str | None:
    """Return the first reference that does not hold."""
    if not model.subgraphs or not model.operatorCodes or not model.buffers:
        return "no graph"
    return next(_problems(model), None)


def _problems(model: Any) -> Iterator[str]:
    for graph in model.subgraphs:
        count = len(graph.tensors)
        for index, tensor in enumerate(graph.tensors):
            yield from _tensor_problems(model, index, tensor)
        if graph.inputs is None or graph.outputs is None or graph.operators is None:
            yield "a graph without inputs, outputs or operators"
            return
        for number, op in enumerate(graph.operators):
            if not 0 <= op.opcodeIndex < len(model.operatorCodes):
                yield f"operator {number} is of kind {op.opcodeIndex} of {len(model.operatorCodes)}"
            if op.inputs is None or op.outputs is None or len(op.outputs) == 0:
                yield f"operator {number} has no inputs or outputs"
            elif not all(-1 <= i < count for i in op.inputs) or not all(0 <= i < count for i in op.outputs):
                yield f"operator {number} uses a tensor that does not exist"
            else:
                yield from _weight_problems(model, graph, number, op)
        if not all(0 <= i < count for i in (*graph.inputs, *graph.outputs)):
            yield "an input or output that does not exist"


def _weight_problems(model: Any, graph: Any, number: int, op: Any) -> Iterator[str]:
    kind = operator_kind(model.operatorCodes[op.opcodeIndex])
    inputs, rank = WEIGHTED.get(kind, (0, 0))
    if len(op.inputs) < inputs or any(i < 0 for i in op.inputs[:inputs]):
        yield f"operator {number}, {kind}, has {len(op.inputs)} inputs"
    elif rank and len(tensor_shape(graph.tensors[op.inputs[1]])) < rank:
        yield f"operator {number}, {kind}, has weights of shape {tensor_shape(graph.tensors[op.inputs[1]])}"


def _tensor_problems(model: Any, index: int, tensor: Any) -> Iterator[str]:
    shape = tensor_shape(tensor)
    if not 0 <= tensor.buffer < len(model.buffers) or any(n < 0 for n in shape) or tensor.type not in _TYPES:
        yield f"tensor {index} has buffer {tensor.buffer}, shape {shape}, type {tensor.type}"
        return
    data = model.buffers[tensor.buffer].data
    wanted = (_count(tensor) * _TYPES[tensor.type][1] + 7) // 8
    if data is not None and len(data) not in (0, wanted):
        yield f"tensor {index} has {len(data)} bytes, its shape needs {wanted}"
    elif wanted > 1 << 31:
        yield f"tensor {index} has shape {shape}"
    if tensor.type == schema.TensorType.UINT8:
        return  # packed indices of compressed weights keep the scales that the weights have
    scale = tensor_scale(tensor)
    channels = 1 if scale is None or len(scale[0]) == 1 else shape[tensor.quantization.quantizedDimension]
    if scale is not None and not (len(scale[0]) == len(scale[1]) == channels and np.isfinite(scale[0]).all()):
        yield f"tensor {index} has {len(scale[0])} scales for {channels} channels"


def _damaged(got: str) -> DataError:
    return DataError("the .tflite file is damaged", details={"got": got or "unreadable"}, hint="copy it again")
