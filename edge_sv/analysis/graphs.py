"""Weights inside .tflite files: what values a converted model has, and a float model with other weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edge_sv.system.array_types import Float32
from edge_sv.tflite.flatbuffer import (
    WEIGHTED,
    operators,
    pack_model,
    parse_model,
    tensor_bits,
    tensor_data,
    tensor_name,
    tensor_scale,
    tensor_shape,
)

WEIGHTS, BIASES = 1, 2
"""Places of a weighted operator's constants among its inputs."""


def read_weights(model: bytes) -> dict[str, Float32]:
    """Return the weights of each layer, layer -> values in the file's layout, integers times their scales."""
    graph = parse_model(model)
    return {layer: _values(graph, tensor) for layer, tensor in _constants(graph, WEIGHTS)}


def read_biases(model: bytes) -> dict[str, Float32]:
    """Return the biases of each layer that has them, layer -> (out,) values."""
    graph = parse_model(model)
    return {layer: _values(graph, tensor) for layer, tensor in _constants(graph, BIASES)}


def weight_formats(model: bytes) -> dict[str, tuple[int, int]]:
    """Return the bits of each layer's weights as they lie in the file, and how many different integers they are."""
    graph = parse_model(model)
    tensors = dict(_constants(graph, WEIGHTS))
    return {name: (tensor_bits(tensor), len(np.unique(_integers(graph, tensor)))) for name, tensor in tensors.items()}


def with_weights(
    float_model: bytes, weights: Mapping[str, Float32], biases: Mapping[str, Float32] | None = None
) -> bytes:
    """Put other weights and biases into a float model.

    Args:
        float_model: a .tflite that was converted without quantization.
        weights: layer -> values in the file's layout; a layer that the model does not have, or has in another shape,
            is passed over.
        biases: layer -> (out,) values, likewise.
    """
    graph = parse_model(float_model)
    for position, given in ((WEIGHTS, weights), (BIASES, biases or {})):
        for number, layer, tensor in list(_uses(graph, position)):
            if layer in given and given[layer].shape == tensor_shape(tensor):
                _replace(graph, number, position, given[layer])
    return pack_model(graph)


def _replace(graph: Any, number: int, position: int, values: Float32) -> None:
    """Give an operator a constant of its own; the old one, and its buffer, may be another operator's too."""
    subgraph = graph.subgraphs[0]
    operator = subgraph.operators[number]
    tensor, buffer = copy.copy(subgraph.tensors[operator.inputs[position]]), schema.BufferT()
    buffer.data = np.ascontiguousarray(values, np.float32).view(np.uint8).ravel()
    graph.buffers.append(buffer)
    tensor.buffer = len(graph.buffers) - 1
    subgraph.tensors.append(tensor)
    operator.inputs = np.array(operator.inputs)
    operator.inputs[position] = len(subgraph.tensors) - 1


def as_kernel(weights: Float32) -> Float32:
    """Turn a layer's weights as a file has them, output channels first, to (height, width, in, out).

    Depthwise weights, (1, height, width, channels), become (height, width, 1, channels).
    """
    if weights.ndim == 2:
        return np.ascontiguousarray(weights.T[np.newaxis, np.newaxis])
    axes = (1, 2, 0, 3) if is_depthwise(weights) else (1, 2, 3, 0)
    return np.ascontiguousarray(weights.transpose(axes))


def from_kernel(kernel: Float32, like: Float32) -> Float32:
    """Undo `as_kernel` for weights that lie in the file as `like` does."""
    if like.ndim == 2:
        return np.ascontiguousarray(kernel[0, 0].T)
    axes = (2, 0, 1, 3) if is_depthwise(like) else (3, 0, 1, 2)
    return np.ascontiguousarray(kernel.transpose(axes))


def is_depthwise(weights: Float32) -> bool:
    """Tell depthwise weights, (1, height, width, channels), from those of a convolution with one output channel."""
    return weights.ndim == 4 and weights.shape[0] == 1 and weights.shape[3] > 1


def _constants(graph: Any, position: int) -> Iterator[tuple[str, Any]]:
    for _, layer, tensor in _uses(graph, position):
        yield layer, tensor


def _uses(graph: Any, position: int) -> Iterator[tuple[int, str, Any]]:
    """Find the constant that each weighted operator has as an input: (number of the operator, layer, tensor)."""
    tensors = graph.subgraphs[0].tensors
    for number, operator in enumerate(operators(graph)):
        if operator.kind not in WEIGHTED or len(operator.inputs) <= position or operator.inputs[position] < 0:
            continue
        tensor = tensors[operator.inputs[position]]
        if tensor_data(graph, tensor) is not None:
            yield number, tensor_name(tensors[operator.inputs[WEIGHTS]]).removesuffix("/weights"), tensor


def _values(graph: Any, tensor: Any) -> Float32:
    data, grid = _integers(graph, tensor), tensor_scale(tensor)
    if grid is None:
        return np.asarray(data, np.float32)
    shape = [1] * data.ndim
    shape[tensor.quantization.quantizedDimension if len(grid[0]) > 1 else 0] = -1
    return np.asarray(grid[0].reshape(shape) * (data.astype(np.float32) - grid[1].reshape(shape)), np.float32)


def _integers(graph: Any, tensor: Any) -> npt.NDArray[Any]:
    data = tensor_data(graph, tensor)
    assert data is not None, "_uses yields constants"
    return _unpack_int4(data, tensor_shape(tensor)) if tensor_bits(tensor) == 4 else data


def _unpack_int4(packed: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Unpack two values a byte, the first in the low bits; 8 to 15 are negative."""
    nibbles = np.stack([packed & 0xF, packed >> 4], axis=-1).ravel()[: int(np.prod(shape))].astype(np.int8)
    return (np.where(nibbles > 7, nibbles - 16, nibbles)).astype(np.int8).reshape(shape)
