"""Lookup tables for TensorFlow Lite Micro: weights of few values as indices of 1 to 7 bits and tables of values.

Before each convolution whose weights are compressed stands a DECODE operator, which expands them into RAM. Its inputs
are the indices, packed from the highest bit on, and 16 bytes of header with the tables behind it:

| byte | is |
|---|---|
| 0 | 0: lookup tables |
| 1, 4 | 1: version |
| 5 | high half: the axis that tables go by, 15 for one table; low half: bits of an index |
| 6 | stride: from one channel's table to the next |
| 16.. | the values |

How many tables TensorFlow Lite Micro walks through it takes from the weights' quantization, not from the header: one
for each scale. A single table for weights with a scale for each channel is read as if more followed, and gives other
values without a word. With a stride of 0, though, all channels read the same table; so a palette that belongs to a
layer costs one table here, too. Every build compares the result with the model as it was.

Source of the format: tflite-micro, tensorflow/lite/micro/compression/decode.py and lut.py (DECODE operator design, DCM
version 1) and micro/kernels/decode_state_lut.cc. The one table for all channels is ours; tflite-micro's own compressor
writes a table for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_sv.plugins.table_writer import LookupModel, TableUse
from edge_sv.system.array_types import Int8, UInt8
from edge_sv.tflite.flatbuffer import DECODE, operators, pack_model, parse_model, tensor_data, tensor_name, tensor_scale

COMPRESSED = ("CONV_2D", "DEPTHWISE_CONV_2D")
"""Operators that read their weights when they run. CMSIS-NN's FULLY_CONNECTED may sum them before, undecoded."""

MAX_BITS = 7
HEADER_BYTES = 16
STRUCTURE_BYTES = 192
"""What an operator, two tensors without their names, and alignment add to a file, beside indices and table."""

_LUT, _VERSION, _ONE_TABLE = 0, 1, 15
_NO_BUFFER = 0
"""By the schema always empty: a tensor on it is computed."""


class LutTableWriter:
    """The `lut` table writer: see `edge_sv.plugins.table_writer.TableWriter`."""

    def compress(self, model: bytes) -> LookupModel:
        """Write the weights that get smaller as lookup tables; same model, same bytes.

        Raises:
            DataError: the model is damaged.
        """
        graph = parse_model(model)
        uses, skipped = [], []
        for place in _places(graph):
            table = _smallest(place)
            if table is None or table.bytes + place.structure_bytes >= place.plain_bytes:
                skipped.append(place.layer)
                continue
            _write(graph, place, table)
            uses.append(TableUse(place.layer, table.bits, len(table.values), place.plain_bytes, table.bytes))
        return LookupModel(pack_model(graph) if uses else model, tuple(uses), tuple(skipped))


@dataclass(frozen=True, eq=False)
class _Place:
    """Weights that could be compressed: the schema's objects, and what they hold."""

    layer: str
    operator: Any
    index: int
    tensor: Any
    codes: Int8
    plain_bytes: int

    @property
    def structure_bytes(self) -> int:
        """What the file gets larger by, beside indices and table."""
        return STRUCTURE_BYTES + 2 * len(tensor_name(self.tensor))


@dataclass(frozen=True, eq=False)
class _Table:
    """Compressed weights.

    Args:
        bits: of an index.
        axis: that the tables go by; None: one table for all.
        values: (1 or channels, entries) int8.
        indices: uint8, in the weights' shape.
    """

    bits: int
    axis: int | None
    values: Int8
    indices: UInt8

    @property
    def bytes(self) -> int:
        """What lies in the file."""
        return (self.indices.size * self.bits + 7) // 8 + HEADER_BYTES + self.values.size

    def packed(self) -> UInt8:
        """Indices as dense bits, the highest first."""
        bits = (self.indices.reshape(-1, 1) >> np.arange(self.bits, dtype=np.uint8)[::-1]) & 1
        return np.packbits(bits.astype(np.uint8))

    def ancillary(self) -> UInt8:
        """Header and tables."""
        header = np.zeros(HEADER_BYTES, np.uint8)
        axis = _ONE_TABLE if self.axis is None else self.axis
        stride = 0 if self.axis is None else self.values.shape[1]
        header[[0, 1, 4, 5, 6]] = _LUT, _VERSION, _VERSION, axis << 4 | self.bits, stride
        return np.concatenate([header, self.values.view(np.uint8).ravel()])


def _places(graph: Any) -> Iterator[_Place]:
    """Find the convolutions whose weights nothing else reads."""
    tensors = graph.subgraphs[0].tensors
    readers = Counter(int(index) for operator in graph.subgraphs[0].operators for index in operator.inputs)
    holders = Counter(tensor.buffer for subgraph in graph.subgraphs for tensor in subgraph.tensors)
    for operator, raw in list(zip(operators(graph), graph.subgraphs[0].operators, strict=True)):
        if operator.kind not in COMPRESSED:
            continue
        index = operator.inputs[1]
        tensor = tensors[index]
        codes = _codes(graph, tensor)
        if codes is None or readers[index] > 1 or holders[tensor.buffer] > 1:
            continue
        layer = tensor_name(tensors[operator.outputs[0]])
        yield _Place(layer, raw, index, tensor, codes, len(graph.buffers[tensor.buffer].data))


def _codes(graph: Any, tensor: Any) -> Int8 | None:
    """Return constant int8 or int4 weights as int8 in their shape."""
    data = tensor_data(graph, tensor)
    if data is None or tensor.type not in (schema.TensorType.INT8, schema.TensorType.INT4):
        return None
    if tensor.type == schema.TensorType.INT8:
        return np.asarray(data, np.int8)
    nibbles = np.stack([data << 4, data & 0xF0], axis=-1).ravel()[: int(np.prod(tensor.shape))]
    return np.asarray((nibbles.view(np.int8) >> 4).reshape(tensor.shape), np.int8)


def _smallest(place: _Place) -> _Table | None:
    """Compress with one table or with one for each channel, whatever is smaller; None with too many values."""
    scale = tensor_scale(place.tensor)
    if scale is None:
        return None
    axis, channels = int(place.tensor.quantization.quantizedDimension), len(scale[0])
    if axis != 0 and not (axis == place.codes.ndim - 1 and channels > 1):
        return None  # no other axis is read
    tables = [_table(place.codes, None)] + ([_table(place.codes, axis)] if channels > 1 else [])
    return min((table for table in tables if table is not None), key=lambda table: table.bytes, default=None)


def _table(codes: Int8, axis: int | None) -> _Table | None:
    """Find each slice's values; `axis` None: the whole is one slice."""
    slices = codes[np.newaxis] if axis is None else np.moveaxis(codes, axis, 0)
    found = [np.unique(part, return_inverse=True) for part in slices]
    entries = max(len(values) for values, _ in found)
    bits = max(1, (entries - 1).bit_length())
    if bits > MAX_BITS:
        return None
    values = np.stack([np.pad(values, (0, entries - len(values))) for values, _ in found])
    indices = np.stack([places.reshape(slices.shape[1:]) for _, places in found]).astype(np.uint8)
    return _Table(bits, axis, values, indices[0] if axis is None else np.moveaxis(indices, 0, axis))


def _write(graph: Any, place: _Place, table: _Table) -> None:
    """Put a DECODE operator before the layer; the weights' tensor is its output, their buffer gets the indices."""
    weights, name = place.tensor, tensor_name(place.tensor)
    graph.buffers.append(schema.BufferT())
    indices = _add_bytes(graph, weights.buffer, table.packed(), name=f"{name}/indices")
    ancillary = _add_bytes(graph, len(graph.buffers) - 1, table.ancillary(), name=f"{name}/table")
    weights.buffer, weights.type = _NO_BUFFER, schema.TensorType.INT8
    decode = schema.OperatorT()
    decode.opcodeIndex = _opcode(graph)
    decode.inputs, decode.outputs = np.array([indices, ancillary], np.int32), np.array([place.index], np.int32)
    running = graph.subgraphs[0].operators
    running.insert(next(i for i, operator in enumerate(running) if operator is place.operator), decode)


def _add_bytes(graph: Any, buffer: int, data: UInt8, *, name: str) -> int:
    """Put bytes into a buffer and add a tensor on them; return its index."""
    graph.buffers[buffer].data = data
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name.encode(), schema.TensorType.UINT8, np.array([len(data)], np.int32)
    tensor.buffer = buffer
    graph.subgraphs[0].tensors.append(tensor)
    return len(graph.subgraphs[0].tensors) - 1


def _opcode(graph: Any) -> int:
    """Return the index of DECODE among the kinds of operators, added at the first call."""
    for index, code in enumerate(graph.operatorCodes):
        if code.customCode == DECODE.encode():
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = DECODE.encode(), 1
    graph.operatorCodes.append(code)
    return len(graph.operatorCodes) - 1
