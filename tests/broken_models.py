"""Models that lie: bytes changed at random, and sizes, types, grids and references that nobody would write."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_sv.tflite.flatbuffer import pack_model, parse_model

SIZES = [0, 1, 2, 3, 5, 1000, 1 << 20, (1 << 31) - 1, -1]
SCALES = [0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 0.1]
ZERO_POINTS = [0, -129, 127, 128, 1 << 40, -128]
OPTIONS = [0, 1, 2, 3, 7, 100, -1, -5, 1 << 30]
KINDS = [code for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")]


def break_bytes(model: bytes, seed: int) -> bytes:
    """Change up to 16 bytes, or cut the file."""
    rng = random.Random(seed)
    data = bytearray(model)
    if rng.random() < 0.1:
        return bytes(data[: rng.randrange(len(data))])
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place = rng.randrange(8, len(data))
        data[place] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256), data[place] ^ (1 << rng.randrange(8))])
    return bytes(data)


def break_graph(model: bytes, seed: int) -> bytes:
    """Change up to three things that a graph says; the file itself stays well-formed."""
    rng = random.Random(seed)
    tree = parse_model(model)
    for _ in range(rng.choice([1, 1, 2, 3])):
        rng.choice([_shape, _type, _grid, _axis, _buffer, _option, _input, _output, _kind])(tree, rng)
    try:
        return pack_model(tree)
    except (TypeError, ValueError, OverflowError, AttributeError):
        return model  # no file can say that


def _shape(tree: Any, rng: random.Random) -> None:
    tensor = rng.choice(tree.subgraphs[0].tensors)
    shape = [] if tensor.shape is None else list(tensor.shape)
    if shape:
        shape[rng.randrange(len(shape))] = rng.choice(SIZES)
    tensor.shape = np.array(shape[:-1] if rng.random() < 0.2 else shape, np.int32)


def _type(tree: Any, rng: random.Random) -> None:
    rng.choice(tree.subgraphs[0].tensors).type = rng.randrange(20)


def _grid(tree: Any, rng: random.Random) -> None:
    quantization = rng.choice(tree.subgraphs[0].tensors).quantization
    if quantization is not None and quantization.scale is not None:
        count = rng.choice([1, 3, len(quantization.scale)])
        quantization.scale = np.full(count, rng.choice(SCALES), np.float32)
        quantization.zeroPoint = np.full(count, rng.choice(ZERO_POINTS), np.int64)


def _axis(tree: Any, rng: random.Random) -> None:
    quantization = rng.choice(tree.subgraphs[0].tensors).quantization
    if quantization is not None:
        quantization.quantizedDimension = rng.choice([-1, 0, 1, 3, 4, 100])


def _buffer(tree: Any, rng: random.Random) -> None:
    rng.choice(tree.subgraphs[0].tensors).buffer = rng.randrange(len(tree.buffers))


def _option(tree: Any, rng: random.Random) -> None:
    options = rng.choice(tree.subgraphs[0].operators).builtinOptions
    numbers = [name for name, value in vars(options).items() if isinstance(value, int)] if options is not None else []
    if numbers:
        setattr(options, rng.choice(numbers), rng.choice(OPTIONS))


def _input(tree: Any, rng: random.Random) -> None:
    operator = rng.choice(tree.subgraphs[0].operators)
    inputs = list(operator.inputs)
    if inputs:
        inputs[rng.randrange(len(inputs))] = rng.randrange(-1, len(tree.subgraphs[0].tensors))
    operator.inputs = inputs[:-1] if rng.random() < 0.2 else inputs


def _output(tree: Any, rng: random.Random) -> None:
    rng.choice(tree.subgraphs[0].operators).outputs = [rng.randrange(len(tree.subgraphs[0].tensors))]


def _kind(tree: Any, rng: random.Random) -> None:
    rng.choice(tree.operatorCodes).builtinCode = rng.choice(KINDS)
