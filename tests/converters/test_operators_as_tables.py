"""Alone, each operator computes what TensorFlow Lite Micro computes, bit for bit: functions of one value."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given
from hypothesis import strategies as st

from tests.converters.kernel_calls import Kernels
from tests.converters.operator_checks import (
    ALL_VALUES,
    EXAMPLES,
    GRIDS,
    SCALES,
    ZERO_POINTS,
    check,
    unary_model,
)

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")


SUPPORTED_SCALES = SCALES.filter(lambda scale: scale < 16)  # from 16 on TensorFlow Lite Micro shifts by all bits


@EXAMPLES
@given(kind=st.sampled_from(["LOGISTIC", "TANH"]), scale=SUPPORTED_SCALES, zero_point=ZERO_POINTS)
def test_saturating_functions(kernels: Kernels, kind: str, scale: float, zero_point: int) -> None:
    out_grid = (1 / 256, -128) if kind == "LOGISTIC" else (1 / 128, 0)
    assert check(kernels, unary_model(kind, (scale, zero_point), out_grid), [ALL_VALUES]) == "esv_lookup_s8"


@EXAMPLES
@given(scale=SCALES, out_scale=SCALES, zero_point=ZERO_POINTS, out_zero_point=ZERO_POINTS)
def test_reciprocal_square_root(
    kernels: Kernels, scale: float, out_scale: float, zero_point: int, out_zero_point: int
) -> None:
    values = np.maximum(ALL_VALUES, zero_point)  # TensorFlow Lite Micro fails below the zero point
    check(kernels, unary_model("RSQRT", (scale, zero_point), (out_scale, out_zero_point)), [values.astype(np.int8)])


TABLES = ["ABS", "RELU", "HARD_SWISH", "QUANTIZE", "LEAKY_RELU", "ELU"]


@EXAMPLES
@given(kind=st.sampled_from(TABLES), grid=GRIDS, ratio=st.floats(-4, 4), zero_point=ZERO_POINTS, alpha=st.floats(0, 2))
@example(kind="ELU", grid=(0.225591242313385, -128), ratio=1.0, zero_point=0, alpha=0.0)  # 0.49999997, plus 0.5 is 1
def test_functions_of_one_value(
    kernels: Kernels, kind: str, grid: tuple[float, int], ratio: float, zero_point: int, alpha: float
) -> None:
    out_grid = (float(np.float32(grid[0] * 2.0**ratio)), zero_point)
    options = None
    if kind == "LEAKY_RELU":
        options = schema.LeakyReluOptionsT()
        options.alpha = alpha
    check(kernels, unary_model(kind, grid, out_grid, options), [ALL_VALUES])


@EXAMPLES
@given(grid=GRIDS)
def test_relu6(kernels: Kernels, grid: tuple[float, int]) -> None:
    check(kernels, unary_model("RELU6", grid, grid), [ALL_VALUES])
