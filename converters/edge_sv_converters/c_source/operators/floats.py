"""Operators on float32: the parts of a net that were not quantized, and the ways in and out of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edge_sv_converters.c_source.calls import Call, ElementCall, ReduceCall, RowCall, Struct, Value
from edge_sv_converters.c_source.graph import Operation
from edge_sv_converters.c_source.operators.binary import Kernel, lower_pairs
from edge_sv_converters.c_source.operators.reduce import reduction
from edge_sv_converters.c_source.quantization import NONE, RELU, RELU6, RELU_N1_TO_1

HEADER = "esv_f32.h"
_LARGEST = float(np.finfo(np.float32).max)
_LIMITS = {NONE: (-_LARGEST, _LARGEST), RELU: (0.0, _LARGEST), RELU6: (0.0, 6.0), RELU_N1_TO_1: (-1.0, 1.0)}
_PAIRS = {"ADD": 0, "SUB": 1, "MUL": 2, "DIV": 3, "MAXIMUM": 4, "MINIMUM": 5, "SQUARED_DIFFERENCE": 6}
"""Values of ESV_PAIR_... in the header."""
_UNARY = {"ABS": 1, "NEG": 2, "SQUARE": 3, "SQRT": 4, "RSQRT": 5, "EXP": 6, "LOGISTIC": 7, "TANH": 8}
"""Values of ESV_UNARY_... in the header; 0 is a limit."""
_UNARY_LIMITS = {"RELU": _LIMITS[RELU], "RELU6": _LIMITS[RELU6]}


def is_float(operation: Operation) -> bool:
    """Tell whether an operator computes float32 from float32."""
    tensors = [tensor for tensor in operation.inputs if tensor is not None and tensor.dtype not in ("int32", "int64")]
    return all(tensor.dtype == "float32" for tensor in (*tensors, *operation.outputs))


def lower_pair(operation: Operation) -> tuple[Call, ...]:
    """Lower an operator of two inputs."""
    _check_float(operation)
    low, high = _LIMITS[NONE]
    if "fusedActivationFunction" in operation.options:
        activation = operation.option("fusedActivationFunction")
        if activation not in _LIMITS:
            raise operation.refuse(f"its activation {activation} is not supported")
        low, high = _LIMITS[activation]
    params: Mapping[str, Value] = {"operation": _PAIRS[operation.kind], "low": low, "high": high}
    return lower_pairs(operation, Kernel("esv_pair_f32", HEADER, params))


def lower_unary(operation: Operation) -> tuple[Call, ...]:
    """Lower a function of one value."""
    _check_float(operation)
    source, output = operation.input(0), operation.output
    if source.shape != output.shape:
        raise operation.refuse(f"{source.shape} is not {output.shape}")
    low, high = _UNARY_LIMITS.get(operation.kind, (0.0, 0.0))
    params: Mapping[str, Value] = {"operation": _UNARY.get(operation.kind, 0), "low": low, "high": high}
    return (_element_call(operation, "esv_unary_f32", HEADER, Struct("esv_unary_params", params)),)


def lower_softmax(operation: Operation) -> tuple[Call, ...]:
    """Lower a SOFTMAX over the last dimension."""
    source, output = operation.input(0), operation.output
    beta = float(operation.option("beta"))
    if source.shape != output.shape or not source.shape or not math.isfinite(beta):
        raise operation.refuse(f"from {source.shape} to {output.shape}, beta {beta}")
    depth = source.shape[-1]
    params: Mapping[str, Value] = {"places": source.row_elements // depth, "depth": depth, "beta": beta}
    call = RowCall(
        operation=operation, inputs=(source,), output=output, kernel="esv_softmax_f32", header=HEADER,
        params=Struct("esv_softmax_f32_params", params),
    )  # fmt: skip
    return (call,)


def lower_mean(operation: Operation) -> tuple[Call, ...]:
    """Lower a MEAN or SUM; values are added in the order of TensorFlow Lite."""
    source, output = operation.input(0), operation.output
    how = reduction(operation)
    params = {"width": how.width, "channels": how.channels, "divides": int(operation.kind == "MEAN")}
    mean, state = Struct("esv_mean_f32_params", params), 4 * how.channels
    if how.rows:
        reduce = ReduceCall(
            operation=operation, inputs=(source,), output=output, kernel="esv_mean_f32", header=HEADER, params=mean,
            state_bytes=state,
        )  # fmt: skip
        return (reduce,)
    call = RowCall(
        operation=operation, inputs=(source,), output=output, kernel="esv_mean_row_f32", header=HEADER,
        params=Struct("esv_mean_row_f32_params", {"places": how.places, "mean": mean}), scratch=state,
    )  # fmt: skip
    return (call,)


def lower_quantize(operation: Operation) -> tuple[Call, ...]:
    """Lower a QUANTIZE from float32 to int8."""
    return _lower_grid(operation, "esv_quantize_s8", ("float32", "int8"), operation.output.grid)


def lower_dequantize(operation: Operation) -> tuple[Call, ...]:
    """Lower a DEQUANTIZE from int8 to float32."""
    return _lower_grid(operation, "esv_dequantize_s8", ("int8", "float32"), operation.input(0).grid)


def _check_float(operation: Operation) -> None:
    if not is_float(operation):
        raise operation.refuse(f"its kernel takes float32, not {operation.input(0).dtype}")


def _lower_grid(
    operation: Operation, kernel: str, dtypes: tuple[str, str], grid: tuple[float, int]
) -> tuple[Call, ...]:
    source, output = operation.input(0), operation.output
    if (source.dtype, output.dtype) != dtypes or source.shape != output.shape:
        raise operation.refuse(f"from {source.dtype} {source.shape} to {output.dtype} {output.shape}")
    params = Struct("esv_tensor_grid", {"scale": grid[0], "zero_point": grid[1]})
    return (_element_call(operation, kernel, HEADER, params),)


def _element_call(operation: Operation, kernel: str, header: str, params: Struct) -> ElementCall:
    source, output = operation.input(0), operation.output
    in_place = (0,) if source.item_bytes == output.item_bytes else ()
    return ElementCall(
        operation=operation, inputs=(source,), output=output, kernel=kernel, header=header, params=params,
        in_place=in_place,
    )  # fmt: skip
