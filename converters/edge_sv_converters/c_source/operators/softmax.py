"""SOFTMAX over the last dimension."""

from __future__ import annotations

import math

import numpy as np

from edge_sv.system.array_types import Int64
from edge_sv_converters.c_source.calls import Array, Call, RowCall, Struct, Value
from edge_sv_converters.c_source.fixed_point import exp_of_negative, requantize
from edge_sv_converters.c_source.graph import Operation

_INPUT_INTEGER_BITS = 5
MAX_DEPTH = 4096
"""Exponentials of which a sum cannot overflow."""


def lower(operation: Operation) -> tuple[Call, ...]:
    """Lower a SOFTMAX of int8.

    Raises:
        DataError: other types, or an output grid that TensorFlow Lite Micro does not have.
    """
    source, output = operation.input(0), operation.output
    if source.dtype != "int8" or output.dtype != "int8" or source.shape != output.shape or not source.shape:
        raise operation.refuse(f"from {source.dtype} {source.shape} to {output.dtype} {output.shape}, not int8")
    if output.grid != (1 / 256, -128):
        raise operation.refuse(f"its output's grid is {output.grid}, not (1/256, -128)")
    depth = source.shape[-1]
    if depth >= MAX_DEPTH:
        raise operation.refuse(f"it is over {depth} values, its kernel takes fewer than {MAX_DEPTH}")
    exps = exponentials(operation, source.grid[0], float(operation.option("beta")))
    params: dict[str, Value] = {
        "places": source.row_elements // depth,
        "depth": depth,
        "exps_q31": Array(exps.astype(np.int32), note=f"exp of 0 to -255 steps of {source.grid[0]:.6g}, Q0.31"),
    }
    call = RowCall(
        operation=operation, inputs=(source,), output=output, kernel="esv_softmax_s8", header="esv_softmax.h",
        params=Struct("esv_softmax_params", params),
    )  # fmt: skip
    return (call,)


def exponentials(operation: Operation, scale: float, beta: float) -> Int64:
    """Return exp(-beta * scale * n) in Q0.31 for n from 0 to 255; 0 beyond the range of TensorFlow Lite's input.

    Source: TensorFlow Lite, PreprocessSoftmaxScaling, CalculateInputRadius; kernels/internal/reference/softmax.h.
    """
    real = min(beta * scale * (1 << (31 - _INPUT_INTEGER_BITS)), (1 << 31) - 1.0)
    if not real > 1.0:
        raise operation.refuse(f"its beta {beta} and scale {scale:.3g} are too small")
    multiplier, shift = _split(real)
    radius = math.floor(((1 << _INPUT_INTEGER_BITS) - 1) * (1 << (31 - _INPUT_INTEGER_BITS)) / (1 << shift))
    steps = np.arange(256, dtype=np.int64)
    rescaled = requantize(np.where(steps <= radius, -steps, 0), multiplier, shift)
    return np.where(steps <= radius, exp_of_negative(rescaled, _INPUT_INTEGER_BITS), 0)


def _split(real: float) -> tuple[int, int]:
    """Write a factor up to 2**31 as `multiplier * 2**(shift - 31)`."""
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    return (multiplier // 2, shift + 1) if multiplier == 1 << 31 else (multiplier, shift)
