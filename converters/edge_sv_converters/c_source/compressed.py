"""Compressed weights: found in the file, where TensorFlow Lite Micro would decode them, or in the values themselves.

A TFLM_DECODE operator expands a lookup table's indices into RAM before each use. Here it disappears: what it would
give is a constant. Weights that have few values, whoever made them so, then get the palette that needs least flash, or
become int4; the kernels decode them as they go.

Source: tflite-micro, compression/decode.py and lut.py (DECODE operator design, DCM version 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import DECODE
from edge_sv_converters.c_source.graph import Codebook, Graph, Operation, Tensor

WEIGHTED = ("CONV_2D", "FULLY_CONNECTED")
MAX_BITS = 4
WORTH = 0.75
"""A palette must need less than this share of the bytes."""

_HEADER_BYTES, _LUT, _VERSION, _ONE_TABLE = 16, 0, 1, 15
_INT4 = (-8, 7)


def with_compressed_weights(graph: Graph) -> Graph:
    """Give weights their most compact lossless form.

    Raises:
        DataError: a DECODE operator is damaged, or is no lookup table.
    """
    graph = _fold_decodes(graph)
    weights = [op.inputs[1] for op in graph.operations if op.kind in WEIGHTED and len(op.inputs) > 1]
    compact = {tensor.index: _compact(tensor) for tensor in weights if tensor is not None and tensor.constant}
    return _with_tensors(graph, compact)


def _with_tensors(graph: Graph, tensors: Mapping[int, Tensor]) -> Graph:
    """Put tensors in the place of those of their index."""
    operations = tuple(
        replace(
            operation,
            inputs=tuple(t if t is None else tensors.get(t.index, t) for t in operation.inputs),
        )
        for operation in graph.operations
    )
    return replace(graph, operations=operations)


def _compact(tensor: Tensor) -> Tensor:
    """Return weights with a palette or as int4 where that saves flash, else as they are."""
    values = tensor.values
    if tensor.palette is not None or values is None or tensor.dtype not in ("int8", "int4"):
        return tensor
    plain_bits = 4 if values.min() >= _INT4[0] and values.max() <= _INT4[1] else 8
    candidates = [palette for palette in (_one_codebook(values), _channel_codebooks(values)) if palette is not None]
    best = min(candidates, key=_codebook_bytes, default=None)
    if best is not None and _codebook_bytes(best) < WORTH * values.size * plain_bits / 8:
        return replace(tensor, palette=best)
    return replace(tensor, dtype="int4") if plain_bits == 4 else tensor


def _one_codebook(values: npt.NDArray[Any]) -> Codebook | None:
    codebook, indices = np.unique(values, return_inverse=True)
    return _palette(codebook.astype(np.int8)[np.newaxis], indices.reshape(values.shape))


def _channel_codebooks(values: npt.NDArray[Any]) -> Codebook | None:
    """Make a codebook for each output channel, the first dimension."""
    found = [np.unique(channel, return_inverse=True) for channel in values]
    codebook = np.zeros((len(found), max(len(book) for book, _ in found)), np.int8)
    for row, (book, _) in zip(codebook, found, strict=True):
        row[: len(book)] = book
    return _palette(codebook, np.stack([indices.reshape(values.shape[1:]) for _, indices in found]))


def _palette(codebook: npt.NDArray[np.int8], indices: npt.NDArray[Any]) -> Codebook | None:
    bits = max(1, (codebook.shape[1] - 1).bit_length())
    return Codebook(indices.astype(np.uint8), codebook, bits) if bits <= MAX_BITS else None


def _codebook_bytes(palette: Codebook) -> float:
    return palette.indices.size * palette.bits / 8 + len(palette.codebook) * (1 << palette.bits)


def _fold_decodes(graph: Graph) -> Graph:
    decoded: dict[int, Tensor] = {}
    for operation in graph.operations:
        if operation.kind == DECODE:
            decoded |= {tensor.index: tensor for tensor in _decode(operation)}
    if not decoded:
        return graph
    if any(tensor.index in decoded for tensor in graph.outputs):
        raise DataError("cannot compile a model whose weights are an output")
    rest = tuple(operation for operation in graph.operations if operation.kind != DECODE)
    return _with_tensors(replace(graph, operations=rest), decoded)


def _decode(operation: Operation) -> list[Tensor]:
    """Return a DECODE operator's outputs as constants; its inputs are pairs of indices and table."""
    if len(operation.inputs) != 2 * len(operation.outputs):
        raise operation.refuse(f"it has {len(operation.inputs)} inputs for {len(operation.outputs)} outputs")
    pairs = [(operation.input(2 * n), operation.input(2 * n + 1)) for n in range(len(operation.outputs))]
    return [
        _decode_table(operation, _bytes(operation, encoded), _bytes(operation, table), output)
        for (encoded, table), output in zip(pairs, operation.outputs, strict=True)
    ]


def _bytes(operation: Operation, tensor: Tensor) -> npt.NDArray[np.uint8]:
    if tensor.values is None or tensor.dtype not in ("int8", "uint8"):
        raise operation.refuse(f"its input '{tensor.name}' is not constant bytes")
    return np.ascontiguousarray(tensor.values).view(np.uint8).ravel()


def _decode_table(
    operation: Operation, encoded: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8], output: Tensor
) -> Tensor:
    """Look up values: indices of 1 to 7 bits, the highest first; one table (stride 0), or one for each slice."""
    if len(table) < _HEADER_BYTES or table[0] != _LUT or table[1] != _VERSION or table[4] != _VERSION:
        raise operation.refuse("it is no lookup table of version 1", hint="compress with lookup tables")
    axis, bits, stride = int(table[5]) >> 4, int(table[5]) & 7, int(table[6])
    one = stride == 0 or axis == _ONE_TABLE
    channels = 1 if one else output.shape[axis] if axis < len(output.shape) else -1
    if stride and (channels > 1) != (output.scale is not None and len(output.scale) > 1):
        raise operation.refuse(
            "it has one table for weights with a scale for each channel, or the reverse, which TensorFlow Lite Micro "
            "decodes to other values",
            hint="compress per tensor what is quantized per tensor, per channel what is quantized per channel",
        )
    dtype = np.dtype(output.dtype if output.dtype != "int4" else "int8")
    entries = stride or (len(table) - _HEADER_BYTES) // dtype.itemsize
    if min(channels, bits, entries) < 1 or len(table) != _HEADER_BYTES + channels * entries * dtype.itemsize:
        raise operation.refuse(f"its table of {len(table)} bytes does not fit {output.shape} {output.dtype}")
    if len(encoded) != (output.elements * bits + 7) // 8:
        raise operation.refuse(f"it has {len(encoded)} bytes for {output.elements} indices of {bits} bits")
    codebook = table[_HEADER_BYTES:].view(dtype).reshape(channels, entries)
    digits = np.unpackbits(encoded)[: output.elements * bits].reshape(output.elements, bits)
    indices = (digits @ (1 << np.arange(bits)[::-1])).astype(np.uint8).reshape(output.shape)
    if indices.max() >= entries:
        raise operation.refuse(f"an index is {indices.max()} in a table of {entries}")
    rows = 0 if channels == 1 else np.arange(channels).reshape([-1 if n == axis else 1 for n in range(indices.ndim)])
    return replace(output, values=codebook[rows, indices])
