"""A .tflite as checked values: what the rest of the converter trusts.

Everything that a file could lie about is looked at here, once: the order of operators, shapes, quantization, where
constants come from. What is specific to one kind of operator is checked where that kind is lowered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import operator_kind, parse_model, tensor_name, tensor_scale, tensor_shape

DTYPES: dict[int, str] = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.INT32: "int32",
    schema.TensorType.INT64: "int64",
    schema.TensorType.INT16: "int16",
    schema.TensorType.INT8: "int8",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT4: "int4",
    schema.TensorType.BOOL: "bool",
}
MAX_ELEMENTS = 1 << 28
MAX_RANK = 6
_GRID_LIMITS = {"int4": (-8, 7), "int8": (-128, 127), "int16": (-32768, 32767), "int32": (-(1 << 31), (1 << 31) - 1)}


@dataclass(frozen=True, eq=False)
class Codebook:
    """Weights as numbers of colours: `weights.flat[i] = codebook[channel(i), indices.flat[i]]`.

    Args:
        indices: the weights' shape, uint8, each below 2**bits.
        codebook: (1 or channels, at most 2**bits) int8; more than one row goes by the weights' quantized axis.
        bits: of an index, 1 to 4.
    """

    indices: npt.NDArray[np.uint8]
    codebook: npt.NDArray[np.int8]
    bits: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the graph.

    Args:
        index: its number in the file.
        name: its name there.
        shape: dimensions; () for a scalar.
        dtype: numpy's name of the element type, or `int4`.
        scale: (1 or channels) float32 when quantized: value = scale * (q - zero_point).
        zero_point: (1 or channels) int64 when quantized.
        axis: the dimension that `scale` runs over when there are several.
        values: a constant's values in `shape`; int4 as int8 from -8 to 7. None: computed, or the graph's input.
        palette: how a constant's values are compressed in the file.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: npt.NDArray[np.float32] | None = None
    zero_point: npt.NDArray[np.int64] | None = None
    axis: int = 0
    values: npt.NDArray[Any] | None = field(default=None, repr=False)
    palette: Codebook | None = field(default=None, repr=False)

    @property
    def constant(self) -> bool:
        """Whether its values are in the file."""
        return self.values is not None

    @property
    def elements(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def item_bytes(self) -> int:
        """Bytes of a value in memory."""
        return 1 if self.dtype == "int4" else np.dtype(self.dtype).itemsize

    @property
    def num_rows(self) -> int:
        """Steps of the outer dimension, H of (1, H, W, C): what a streamed graph consumes one by one."""
        if len(self.shape) >= 3:
            return self.shape[0] * self.shape[1]
        return self.shape[0] if len(self.shape) == 2 else 1

    @property
    def row_elements(self) -> int:
        """Values in a row, W * C of (1, H, W, C); rows lie one behind the other."""
        return self.elements // self.num_rows

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.row_elements * self.item_bytes

    @property
    def num_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.elements * self.item_bytes

    @property
    def grid(self) -> tuple[float, int]:
        """Scale and zero point of a tensor quantized as a whole.

        Raises:
            DataError: it is not quantized, or per channel.
        """
        if self.scale is None or self.zero_point is None or len(self.scale) != 1:
            got = "none" if self.scale is None else str(len(self.scale))
            raise DataError(f"tensor '{self.name}' needs one scale", details={"got": got})
        return float(self.scale[0]), int(self.zero_point[0])


@dataclass(frozen=True, eq=False)
class Operation:
    """One operator: `kind` as the schema names it; an input that was left out is None."""

    index: int
    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def input(self, position: int) -> Tensor:
        """Return an input that must be there.

        Raises:
            DataError: it is not.
        """
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            raise self.refuse(f"it has no input {position}")
        return tensor

    def option(self, name: str) -> Any:
        """Return one of the operator's options, as the schema names it (`strideH`).

        Raises:
            DataError: the file leaves it out.
        """
        if name not in self.options:
            raise self.refuse(f"its option '{name}' is missing")
        return self.options[name]

    def refuse(self, why: str, *, hint: str | None = None) -> DataError:
        """Make the error for an operator that cannot be compiled: what and why."""
        where = f"operator {self.index}, {self.kind} '{self.output.name}'"
        return DataError(f"cannot compile {where}: {why}", hint=hint)


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: operations in the order they run; every input of one is a constant or computed before it."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operations: tuple[Operation, ...]


def read_graph(data: bytes) -> Graph:
    """Read and check a .tflite.

    Raises:
        DataError: it is damaged, or has something that no part of this converter handles.
    """
    model = parse_model(data)
    try:
        graph = _graph(model)
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError, KeyError) as error:
        raise DataError("the .tflite file is damaged", details={"got": str(error)}) from error
    _check_order(graph)
    return graph


def _graph(model: Any) -> Graph:
    if len(model.subgraphs) != 1:
        raise DataError(f"cannot compile a model of {len(model.subgraphs)} graphs", hint="models without control flow")
    subgraph = model.subgraphs[0]
    tensors = [_tensor(model, index, tensor) for index, tensor in enumerate(subgraph.tensors)]
    operations = []
    for index, op in enumerate(subgraph.operators):
        options = {} if op.builtinOptions is None else dict(vars(op.builtinOptions))
        operations.append(
            Operation(
                index=index,
                kind=operator_kind(model.operatorCodes[op.opcodeIndex]),
                inputs=tuple(tensors[i] if i >= 0 else None for i in op.inputs),
                outputs=tuple(tensors[i] for i in op.outputs),
                options=options,
            )
        )
    inputs, outputs = (tuple(tensors[i] for i in indices) for indices in (subgraph.inputs, subgraph.outputs))
    return Graph(inputs, outputs, tuple(operations))


def _tensor(model: Any, index: int, tensor: Any) -> Tensor:
    name, shape = tensor_name(tensor) or f"tensor {index}", tensor_shape(tensor)
    problem = _shape_problem(tensor, shape)
    if problem:
        raise DataError(f"cannot compile tensor '{name}': {problem}")
    dtype = DTYPES[tensor.type]
    scale, zero_point, axis = _quantization(tensor, name, shape, dtype)
    return Tensor(index, name, shape, dtype, scale, zero_point, axis, _values(model, tensor, shape, dtype))


def _shape_problem(tensor: Any, shape: tuple[int, ...]) -> str | None:
    if tensor.type not in DTYPES:
        return f"element type {tensor.type} is not one of {', '.join(sorted(DTYPES.values()))}"
    if tensor.isVariable or tensor.sparsity is not None or tensor.externalBuffer:
        return "it is variable, sparse or kept in another file"
    if len(shape) > MAX_RANK or 0 in shape or int(np.prod(shape, dtype=object)) > MAX_ELEMENTS:
        return f"its shape is {shape}"
    return None


def _quantization(
    tensor: Any, name: str, shape: tuple[int, ...], dtype: str
) -> tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.int64] | None, int]:
    grid = tensor_scale(tensor)
    if grid is None or dtype not in _GRID_LIMITS:
        return None, None, 0
    scale, zero_point = grid
    axis = int(tensor.quantization.quantizedDimension)
    channels = 1 if len(scale) == 1 else shape[axis] if 0 <= axis < len(shape) else -1
    low, high = _GRID_LIMITS[dtype]
    if len(scale) != channels or len(zero_point) != channels:
        raise DataError(f"cannot compile tensor '{name}': {len(scale)} scales on axis {axis} of {shape}")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise DataError(f"cannot compile tensor '{name}': its scale is not positive")
    if (zero_point < low).any() or (zero_point > high).any():
        raise DataError(f"cannot compile tensor '{name}': its zero point is outside of {dtype}")
    return scale, zero_point, axis if channels > 1 else 0


def _values(model: Any, tensor: Any, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any] | None:
    buffer = model.buffers[tensor.buffer]
    if buffer.offset or buffer.size:
        raise DataError("cannot compile a model whose constants lie outside of it", hint="write it as one file")
    if buffer.data is None or len(buffer.data) == 0:
        return None
    raw = np.asarray(buffer.data, np.uint8)
    if dtype == "int4":
        return unpack_int4(raw, int(np.prod(shape, dtype=np.int64))).reshape(shape)
    return raw.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)


def unpack_int4(packed: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int8]:
    """Unpack two's complement nibbles, the low one first; (bytes,) uint8 -> (count,) int8 from -8 to 7."""
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).ravel()[:count].astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)


def _check_order(graph: Graph) -> None:
    problem = next(_order_problems(graph), None)
    if problem:
        raise DataError("the .tflite file is damaged", details={"got": problem})


def _order_problems(graph: Graph) -> Iterator[str]:
    known = {tensor.index for tensor in graph.inputs}
    if len(known) != len(graph.inputs) or any(tensor.constant for tensor in graph.inputs):
        yield "an input is given twice, or has constant values"
    for operation in graph.operations:
        for tensor in operation.inputs:
            if tensor is not None and not tensor.constant and tensor.index not in known:
                yield f"operator {operation.index} uses tensor {tensor.index} before it is computed"
        for tensor in operation.outputs:
            if tensor.constant or tensor.index in known:
                yield f"operator {operation.index} computes tensor {tensor.index}, which has values already"
            known.add(tensor.index)
    for tensor in graph.outputs:
        if tensor.index not in known and not tensor.constant:
            yield f"output {tensor.index} is never computed"
