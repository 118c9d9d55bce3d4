"""Functions of one int8 value, each a table of 256 values made here.

Every table is the one that TensorFlow Lite Micro computes; its sources, kernels of the same names in
`tensorflow/lite/micro/kernels` and `kernels/internal/reference`, are named only where the place is not plain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from edge_sv.system.array_types import Int64
from edge_sv_converters.c_source.calls import Call
from edge_sv_converters.c_source.fixed_point import (
    INT8_VALUES,
    divide_by_power,
    inverse_square_root,
    logistic,
    requantize,
    tanh,
)
from edge_sv_converters.c_source.graph import Operation
from edge_sv_converters.c_source.operators.binary import lower_lookup
from edge_sv_converters.c_source.quantization import quantize_multiplier

_INPUT_INTEGER_BITS = 4
_RSQRT_SHIFT = 20
MAX_SHIFT = 22
"""Bits by which a difference of int8 values can be shifted within 32 bits."""


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
    """Tabulate 1 / (1 + exp(-x)).

    Source: TensorFlow Lite, kernels/internal/reference/integer_ops/logistic.h.
    """
    if operation.output.grid[1] != -128:
        raise operation.refuse(f"its output's zero point is {operation.output.grid[1]}, not -128")
    return _saturating_function(operation, lambda x: divide_by_power(logistic(x), 23) - 128)


def tanh_table(operation: Operation) -> Int64:
    """Tabulate the hyperbolic tangent.

    Source: TensorFlow Lite, kernels/internal/reference/integer_ops/tanh.h.
    """
    return _saturating_function(operation, lambda x: divide_by_power(tanh(x), 24))


def rsqrt_table(operation: Operation) -> Int64:
    """Tabulate 1 / sqrt(x); below 0, where TensorFlow Lite Micro fails, it is the largest output, as at 0.

    Source: TensorFlow Lite Micro, elementwise.cc.
    """
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    multiplier, shift = quantize_multiplier(1.0 / (math.sqrt(scale) * out_scale))
    if shift > MAX_SHIFT:
        raise operation.refuse(f"its output's scale, {out_scale:.3g}, is too small for its input's")
    table = np.full(256, 127, np.int64)
    for index in range(zero_point + 129, 256):
        root, root_shift = inverse_square_root(index - 128 - zero_point)
        value = requantize(np.array(1, np.int64), root, root_shift + _RSQRT_SHIFT)
        table[index] = requantize(value, multiplier, shift - _RSQRT_SHIFT) + out_zero_point
    return table


def abs_table(operation: Operation) -> Int64:
    """Tabulate |x|."""
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    return _rescale(operation, np.abs(INT8_VALUES - zero_point), scale / out_scale) + out_zero_point


def relu_table(operation: Operation) -> Int64:
    """Tabulate max(x, 0), on another grid if need be."""
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    return np.maximum(_rescale(operation, INT8_VALUES - zero_point, scale / out_scale) + out_zero_point, out_zero_point)


def relu6_table(operation: Operation) -> Int64:
    """Tabulate min(max(x, 0), 6); TensorFlow Lite Micro overlooks the output's grid, so it must be the input's."""
    scale, zero_point = operation.input(0).grid
    if operation.output.grid != (scale, zero_point):
        raise operation.refuse(f"its input's grid {(scale, zero_point)} is not its output's {operation.output.grid}")
    steps = min(256.0, 6.0 / scale if scale < 1e-3 else float(np.float32(6.0) / np.float32(scale)))
    six = min(127, zero_point + math.floor(steps + 0.5))
    return np.clip(INT8_VALUES, zero_point, six)


def leaky_relu_table(operation: Operation) -> Int64:
    """Tabulate x, times alpha below 0; factors are computed in float32."""
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    alpha = np.float32(operation.option("alpha"))
    with np.errstate(over="ignore"):
        factor = float(np.float32(scale) / np.float32(out_scale))
        below = float(np.float32(scale) * alpha / np.float32(out_scale))
    if not math.isfinite(below) or below < 0:
        raise operation.refuse(f"its slope below zero is {alpha}")
    x = INT8_VALUES - zero_point
    return np.where(x < 0, _rescale(operation, x, below), _rescale(operation, x, factor)) + out_zero_point


def elu_table(operation: Operation) -> Int64:
    """Tabulate x, exp(x) - 1 below 0, in float32."""
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    with np.errstate(all="ignore"):
        x = np.float32(scale) * (INT8_VALUES - zero_point).astype(np.float32)
        y = np.where(x < 0, np.exp(np.minimum(x, 0)) - np.float32(1), x) * (np.float32(1) / np.float32(out_scale))
    if not np.isfinite(y).all():
        raise operation.refuse(f"its scales, {scale:.3g} and {out_scale:.3g}, are too far apart")
    away_from_zero = np.copysign(np.floor(np.abs(y).astype(np.float64) + 0.5), y)
    return np.asarray(np.clip(away_from_zero + out_zero_point, -128, 127), np.int64)


def hard_swish_table(operation: Operation) -> Int64:
    """Tabulate x * min(max(x + 3, 0), 6) / 6, in 16 bits.

    Source: TensorFlow Lite, kernels/internal/reference/hard_swish.h.
    """
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    fine = np.float32(1 / 128) * np.float32(scale)
    out_multiplier, out_shift = _multiplier_of_16_bits(float(fine / np.float32(out_scale)))
    gate_multiplier, gate_shift = _multiplier_of_16_bits(float(fine / np.float32(3.0 / 32768.0)))
    if out_shift > 0 or not -31 <= gate_shift <= 31:
        raise operation.refuse(
            f"its output's scale, {out_scale:.3g}, is too small for its input's, or that one's out of range"
        )
    x = (INT8_VALUES - zero_point) << 7
    x = (x + (1 << 15)) % (1 << 16) - (1 << 15)
    gate = _limit16(x << max(0, gate_shift - 1))
    gate = (gate * gate_multiplier + (1 << 14)) >> 15
    gate = _limit16(gate << 1) if gate_shift > 0 else divide_by_power(gate, -gate_shift)
    gate = (gate + (1 << 15)) >> 1
    scaled = (x * out_multiplier + (1 << 14)) >> 15
    product = np.sign(gate * scaled) * (np.abs(gate * scaled) >> 15)
    return divide_by_power(product, -out_shift) + out_zero_point


def requantize_table(operation: Operation) -> Int64:
    """Tabulate x on another grid."""
    (scale, zero_point), (out_scale, out_zero_point) = operation.input(0).grid, operation.output.grid
    return _rescale(operation, INT8_VALUES - zero_point, scale / out_scale) + out_zero_point


def _rescale(operation: Operation, x: Int64, factor: float) -> Int64:
    """Multiply differences of int8 values by a factor that leaves them within 32 bits."""
    multiplier, shift = quantize_multiplier(factor)
    if shift > MAX_SHIFT:
        raise operation.refuse(f"its output's scale, {operation.output.grid[0]:.3g}, is too small for its input's")
    return requantize(x, multiplier, shift)


def _multiplier_of_16_bits(factor: float) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(factor)
    return min(32767, (multiplier + (1 << 15)) >> 16), shift


def _limit16(x: Int64) -> Int64:
    return np.clip(x, -32768, 32767)


def _saturating_function(operation: Operation, function: Callable[[Int64], Int64]) -> Int64:
    """Apply a function of Q4.27 within its range, int8's limits beyond it."""
    scale, zero_point = operation.input(0).grid
    fraction, shift = math.frexp(scale * (1 << (31 - _INPUT_INTEGER_BITS)))
    if not -31 <= shift <= 31:
        raise operation.refuse(f"its input's scale is {scale:.3g}")
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    radius = math.floor(((1 << _INPUT_INTEGER_BITS) - 1) * (1 << (31 - _INPUT_INTEGER_BITS)) / 2.0**shift)
    x = INT8_VALUES - zero_point
    inside = requantize(np.clip(x, 1 - max(radius, 1), max(radius, 1) - 1), multiplier, shift)
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, np.clip(function(inside), -128, 127)))


_TABLES: Mapping[str, Callable[[Operation], Int64]] = {
    "ABS": abs_table,
    "ELU": elu_table,
    "HARD_SWISH": hard_swish_table,
    "LEAKY_RELU": leaky_relu_table,
    "LOGISTIC": logistic_table,
    "QUANTIZE": requantize_table,
    "RELU": relu_table,
    "RELU6": relu6_table,
    "RSQRT": rsqrt_table,
    "TANH": tanh_table,
}
