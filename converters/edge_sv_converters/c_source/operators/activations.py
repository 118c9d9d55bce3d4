"""Functions of one int8 value, each a table of 256 values made here: LOGISTIC, TANH, RSQRT, ABS, RELU and its kin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from edge_sv_converters.c_source.calls import Call
from edge_sv_converters.c_source.fixed_point import (
    INT8_VALUES,
    Int64,
    divide_by_power,
    inverse_square_root,
    logistic,
    requantize,
    tanh,
)
from edge_sv_converters.c_source.graph import Operation
from edge_sv_converters.c_source.operators.binary import lower_lookup
from edge_sv_converters.c_source.quantization import quantize_multiplier

Grid = tuple[float, int]
_INPUT_INTEGER_BITS = 4
_RSQRT_SHIFT = 20


def lower(operation: Operation) -> tuple[Call, ...]:
    """Lower a function of one value.

    Raises:
        DataError: types, shapes or grids that TensorFlow Lite Micro does not have.
    """
    source, output = operation.input(0), operation.output
    if source.dtype != "int8" or output.dtype != "int8" or source.shape != output.shape:
        raise operation.refuse(
            f"from {source.dtype} {source.shape} to {output.dtype} {output.shape}, not int8 in place"
        )
    return lower_lookup(operation, source, np.clip(_TABLES[operation.kind](operation), -128, 127))


def logistic_table(operation: Operation) -> Int64:
    """Source: TensorFlow Lite, kernels/internal/reference/integer_ops/logistic.h."""
    if operation.output.grid[1] != -128:
        raise operation.refuse(f"its output's zero point is {operation.output.grid[1]}, not -128")
    return _saturating_function(operation.input(0).grid, lambda x: divide_by_power(logistic(x), 23) - 128)


def tanh_table(operation: Operation) -> Int64:
    """Source: TensorFlow Lite, kernels/internal/reference/integer_ops/tanh.h."""
    return _saturating_function(operation.input(0).grid, lambda x: divide_by_power(tanh(x), 24))


def rsqrt_table(operation: Operation) -> Int64:
    """Values below the zero point, for which TensorFlow Lite Micro fails, give the largest output, as 0 does.

    Source: TensorFlow Lite Micro, elementwise.cc.
    """
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    multiplier, shift = quantize_multiplier(1.0 / (math.sqrt(scale) * out_scale))
    table = np.full(256, 127, np.int64)
    for index in range(zero_point + 129, 256):
        root, root_shift = inverse_square_root(index - 128 - zero_point)
        value = requantize(np.array(1, np.int64), root, root_shift + _RSQRT_SHIFT)
        table[index] = requantize(value, multiplier, shift - _RSQRT_SHIFT) + out_zero_point
    return table


def _saturating_function(grid: Grid, function: Callable[[Int64], Int64]) -> Int64:
    """Apply a function of Q4.27 within its range, int8's limits beyond it."""
    scale, zero_point = grid
    fraction, shift = math.frexp(scale * (1 << (31 - _INPUT_INTEGER_BITS)))
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    radius = math.floor(((1 << _INPUT_INTEGER_BITS) - 1) * (1 << (31 - _INPUT_INTEGER_BITS)) / 2.0**shift)
    x = INT8_VALUES - zero_point
    inside = requantize(np.clip(x, 1 - max(radius, 1), max(radius, 1) - 1), multiplier, shift)
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, np.clip(function(inside), -128, 127)))


_TABLES: Mapping[str, Callable[[Operation], Int64]] = {
    "LOGISTIC": logistic_table,
    "RSQRT": rsqrt_table,
    "TANH": tanh_table,
}
