"""ADD, SUB, MUL, SQUARED_DIFFERENCE, MAXIMUM, MINIMUM, PRELU.

Of int8: a pair of which one is a constant, or both are the same tensor, is a function of one value, a table. Sums get a
short formula where one is proved, else TensorFlow Lite's own steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from edge_sv.system.array_types import Int64
from edge_sv_converters.c_source.calls import Call, Value
from edge_sv_converters.c_source.exhaustive import A, B, WeightedSum, find_weighted_sum
from edge_sv_converters.c_source.fixed_point import INT8_VALUES, requantize
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.operators.binary import Kernel, lower_lookup, lower_pairs
from edge_sv_converters.c_source.quantization import activation_limits, quantize_multiplier

Grid = tuple[float, int]
Limits = tuple[int, int]

_ADD_SHIFT = 20
"""Fractional bits of the grid on which TFLite adds."""
MAX_FOLDED_SHIFT = 22
"""Shifts up to which the output's zero point can be added before the shift, within 32 bits."""


def lower_add(operation: Operation) -> tuple[Call, ...]:
    """Lower an ADD."""
    return _lower_sum(operation, 1)


def lower_sub(operation: Operation) -> tuple[Call, ...]:
    """Lower a SUB."""
    return _lower_sum(operation, -1)


def lower_mul(operation: Operation) -> tuple[Call, ...]:
    """Lower a MUL."""
    a, b, output = _int8_tensors(operation)
    limits = activation_limits(operation, output)
    members, wanted = mul_rounded(a.grid, b.grid, output.grid, limits)
    if members["shift"] > 13:
        raise operation.refuse(f"its output's scale, {output.grid[0]:.3g}, is too small for its inputs'")
    table = _table_of_one(a, b, wanted)
    if table is not None:
        return lower_lookup(operation, *table)
    multiplier, shift, zero_point = members["multiplier"], -members["shift"], output.grid[1]
    if not 1 <= shift <= MAX_FOLDED_SHIFT:
        return lower_pairs(operation, Kernel("esv_mul_rounded_s8", "esv_mul.h", members))
    short: Mapping[str, Value] = {
        "a_offset": -a.grid[1], "b_offset": -2 * b.grid[1], "multiplier": multiplier,
        "out_offset": (1 << (shift - 1)) + zero_point * (1 << shift), "shift": shift,
        "out_min": limits[0], "out_max": limits[1],
    }  # fmt: skip
    return lower_pairs(operation, Kernel("esv_mul_s8", "esv_mul.h", short))


def lower_squared_difference(operation: Operation) -> tuple[Call, ...]:
    """Lower a SQUARED_DIFFERENCE.

    Source: TensorFlow Lite Micro, squared_difference.cc.
    """
    a, b, output = _int8_tensors(operation)
    twice = 2 * max(a.grid[0], b.grid[0])
    a_scale, b_scale = quantize_multiplier(a.grid[0] / twice), quantize_multiplier(b.grid[0] / twice)
    with np.errstate(over="ignore"):
        fine = float(np.float32(1 << 14) * np.float32(output.grid[0]))
    out_scale = quantize_multiplier(twice * twice / fine)
    if out_scale[1] > 0:
        raise operation.refuse(f"its output's scale, {output.grid[0]:.3g}, is too small for its inputs'")
    members = {
        "a_zero_point": a.grid[1], "a_multiplier": a_scale[0], "a_shift": a_scale[1],
        "b_zero_point": b.grid[1], "b_multiplier": b_scale[0], "b_shift": b_scale[1],
        "out_zero_point": output.grid[1], "out_multiplier": out_scale[0], "out_shift": out_scale[1],
    }  # fmt: skip
    return lower_pairs(operation, Kernel("esv_squared_difference_s8", "esv_squared_difference.h", members))


def lower_extremum(operation: Operation) -> tuple[Call, ...]:
    """Lower a MAXIMUM or MINIMUM, which TensorFlow Lite Micro computes on one grid."""
    tensors = _int8_tensors(operation)
    if len({tensor.grid for tensor in tensors}) > 1:
        raise operation.refuse(f"its grids differ: {', '.join(str(tensor.grid) for tensor in tensors)}")
    sign = 1 if operation.kind == "MAXIMUM" else -1
    return lower_pairs(operation, Kernel("esv_extremum_s8", "esv_extremum.h", {"sign": sign}))


def lower_prelu(operation: Operation) -> tuple[Call, ...]:
    """Lower a PRELU.

    Source: TensorFlow Lite Micro, prelu_common.cc.
    """
    a, b, output = _int8_tensors(operation)
    positive = quantize_multiplier(a.grid[0] / output.grid[0])
    negative = quantize_multiplier(a.grid[0] * b.grid[0] / output.grid[0])
    if max(positive[1], negative[1]) > 13:
        raise operation.refuse(f"its output's scale, {output.grid[0]:.3g}, is too small for its inputs'")
    members = {
        "a_zero_point": a.grid[1], "b_zero_point": b.grid[1], "out_zero_point": output.grid[1],
        "positive_multiplier": positive[0], "positive_shift": positive[1],
        "negative_multiplier": negative[0], "negative_shift": negative[1],
    }  # fmt: skip
    return lower_pairs(operation, Kernel("esv_prelu_s8", "esv_prelu.h", members))


def _lower_sum(operation: Operation, sign: int) -> tuple[Call, ...]:
    a, b, output = _int8_tensors(operation)
    limits = activation_limits(operation, output)
    if not 2 * max(a.grid[0], b.grid[0]) < (1 << _ADD_SHIFT) * output.grid[0]:
        raise operation.refuse(f"its output's scale, {output.grid[0]:.3g}, is too small for its inputs'")
    members, wanted = sum_rounded(a.grid, b.grid, output.grid, limits, sign)
    table = _table_of_one(a, b, wanted)
    if table is not None:
        return lower_lookup(operation, *table)
    found = _weighted_sum(a.grid, b.grid, output.grid, limits, sign)
    if found is None:
        return lower_pairs(operation, Kernel("esv_add_rounded_s8", "esv_add.h", members))
    short: Mapping[str, Value] = {
        "a_factor": found.a_factor, "b_factor": found.b_factor, "offset": found.offset, "shift": found.shift,
        "out_min": limits[0], "out_max": limits[1],
    }  # fmt: skip
    return lower_pairs(operation, Kernel("esv_add_s8", "esv_add.h", short))


def sum_rounded(a: Grid, b: Grid, output: Grid, limits: Limits, sign: int) -> tuple[dict[str, int], Int64]:
    """Return the parameters of `esv_add_rounded_s8`, and what it computes for all pairs.

    Source: TensorFlow Lite Micro, add_common.cc, sub_common.cc; kernels/internal/reference/add.h.
    """
    twice = 2 * max(a[0], b[0])
    a_scale, b_scale = quantize_multiplier(a[0] / twice), quantize_multiplier(b[0] / twice)
    out_scale = quantize_multiplier(twice / ((1 << _ADD_SHIFT) * output[0]))
    left = requantize((INT8_VALUES - a[1]) << _ADD_SHIFT, *a_scale)[:, None]
    right = requantize((INT8_VALUES - b[1]) << _ADD_SHIFT, *b_scale)[None, :]
    wanted = np.clip(requantize(left + sign * right, *out_scale) + output[1], *limits)
    members = {
        "a_zero_point": a[1], "a_multiplier": a_scale[0], "a_shift": a_scale[1],
        "b_zero_point": b[1], "b_multiplier": b_scale[0], "b_shift": b_scale[1], "b_sign": sign,
        "out_zero_point": output[1], "out_multiplier": out_scale[0], "out_shift": out_scale[1],
        "out_min": limits[0], "out_max": limits[1],
    }  # fmt: skip
    return members, wanted


def mul_rounded(a: Grid, b: Grid, output: Grid, limits: Limits) -> tuple[dict[str, int], Int64]:
    """Return the parameters of `esv_mul_rounded_s8`, and what it computes for all pairs.

    Source: TensorFlow Lite Micro, mul_common.cc; kernels/internal/reference/integer_ops/mul.h.
    """
    multiplier, shift = quantize_multiplier(a[0] * b[0] / output[0])
    wanted = np.clip(requantize((A - a[1]) * (B - b[1]), multiplier, shift) + output[1], *limits)
    members = {
        "a_offset": -a[1], "b_offset": -b[1], "multiplier": multiplier, "shift": shift,
        "out_zero_point": output[1], "out_min": limits[0], "out_max": limits[1],
    }  # fmt: skip
    return members, wanted


@lru_cache(maxsize=256)
def _weighted_sum(a: Grid, b: Grid, output: Grid, limits: Limits, sign: int) -> WeightedSum | None:
    _, wanted = sum_rounded(a, b, output, limits, sign)
    a_real, b_real = a[0] / output[0], sign * b[0] / output[0]
    return find_weighted_sum(wanted, a_real, b_real, output[1] - a_real * a[1] - b_real * b[1], limits)


def _table_of_one(a: Tensor, b: Tensor, wanted: Int64) -> tuple[Tensor, Int64] | None:
    """Return the only input that varies and the output for each of its values, if there is only one."""
    if a is b:
        return a, np.diagonal(wanted).copy()
    if b.values is not None and b.elements == 1 and not a.constant:
        return a, wanted[:, int(b.values.ravel()[0]) + 128]
    if a.values is not None and a.elements == 1 and not b.constant:
        return b, wanted[int(a.values.ravel()[0]) + 128]
    return None


def _int8_tensors(operation: Operation) -> tuple[Tensor, Tensor, Tensor]:
    tensors = operation.input(0), operation.input(1), operation.output
    if any(tensor.dtype != "int8" for tensor in tensors):
        raise operation.refuse(f"it is of {', '.join(tensor.dtype for tensor in tensors)}, its kernel of int8")
    return tensors
