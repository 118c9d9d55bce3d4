"""Models of one operator, and TensorFlow Lite Micro's answer to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from edge_sv_converters.c_source.calls import Call
from edge_sv_converters.c_source.graph import read_graph
from edge_sv_converters.c_source.operators.table import lower_graph

from edge_sv.runtimes.tflm import TflmInterpreter
from edge_sv.tflite.flatbuffer import pack_model

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
}
ARENA_BYTES = 1 << 20


@dataclass(frozen=True)
class Spec:
    """A tensor: computed, or constant when it has values.

    Args:
        shape: dimensions.
        scale: None: not quantized.
        zero_point: of the grid.
        dtype: numpy's name.
        values: of a constant.
    """

    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int = 0
    dtype: str = "int8"
    values: npt.NDArray[Any] | None = None


def constant(values: Any, *, dtype: str = "int32", scale: float | None = None, zero_point: int = 0) -> Spec:
    """Describe a constant tensor."""
    array = np.asarray(values, dtype)
    return Spec(array.shape, scale, zero_point, dtype, array)


def make_model(kind: str, inputs: Sequence[Spec], outputs: Sequence[Spec], options: Any = None) -> bytes:
    """Write a .tflite of one operator; its computed inputs are the graph's, in order.

    Args:
        kind: the operator, as the schema names it.
        inputs: computed and constant tensors; the same object twice is the same tensor.
        outputs: computed tensors.
        options: the schema's options object, `AddOptionsT()`.
    """
    specs = list({id(spec): spec for spec in [*inputs, *outputs]}.values())
    numbers = {id(spec): number for number, spec in enumerate(specs)}
    model = schema.ModelT()
    model.version, model.description = 3, "one operator"
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(model, f"t{number}", spec) for number, spec in enumerate(specs)]
    graph.inputs = list(dict.fromkeys(numbers[id(spec)] for spec in inputs if spec.values is None))
    graph.outputs = [numbers[id(spec)] for spec in outputs]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    operator.opcodeIndex = 0
    operator.inputs = [numbers[id(spec)] for spec in inputs]
    operator.outputs = list(graph.outputs)
    if options is not None:
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    graph.operators, model.operatorCodes, model.subgraphs = [operator], [code], [graph]
    return pack_model(model)


def lower_model(model: bytes) -> tuple[Call, ...]:
    """Return the calls that a model becomes."""
    return lower_graph(read_graph(model)).calls


def run_tflm(model: bytes, inputs: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Run a model in TensorFlow Lite Micro."""
    return TflmInterpreter(model, arena_bytes=ARENA_BYTES).run(*inputs)


def fused(options: Any, activation: str = "NONE", **values: Any) -> Any:
    """Fill an options object."""
    members: Mapping[str, Any] = {
        "fusedActivationFunction": getattr(schema.ActivationFunctionType, activation),
        **values,
    }
    for name, value in members.items():
        setattr(options, name, value)
    return options


def _tensor(model: Any, name: str, spec: Spec) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, TYPES[spec.dtype], list(spec.shape)
    tensor.buffer = 0
    if spec.values is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(spec.values).tobytes(), np.uint8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if spec.scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [float(np.float32(spec.scale))]
        tensor.quantization.zeroPoint = [spec.zero_point]
    return tensor
