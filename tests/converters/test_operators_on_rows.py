"""Alone, each operator computes what TensorFlow Lite Micro computes, bit for bit: pools, means, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from tests.converters.kernel_calls import Kernels
from tests.converters.operator_checks import (
    ACTIVATIONS,
    EXAMPLES,
    GRIDS,
    PADDINGS,
    SCALES,
    ZERO_POINTS,
    check,
    random_int8,
    reduce_model,
)
from tests.converters.single_operator import Spec, fused, make_model

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")


@EXAMPLES
@given(
    kind=st.sampled_from(["MAX_POOL_2D", "AVERAGE_POOL_2D"]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 37)),
    window=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=PADDINGS,
    activation=ACTIVATIONS,
    grid=GRIDS,
    seed=st.integers(0, 1000),
)
def test_pools(
    kernels: Kernels,
    kind: str,
    size: Any,
    window: Any,
    stride: Any,
    padding: int,
    activation: str,
    grid: Any,
    seed: int,
) -> None:
    if padding == schema.Padding.VALID:
        window = (min(window[0], size[0]), min(window[1], size[1]))
        out = [(n - w) // s + 1 for n, w, s in zip(size, window, stride, strict=False)]
    else:
        out = [-(-n // s) for n, s in zip(size, stride, strict=False)]
    options = fused(
        schema.Pool2DOptionsT(), activation, padding=padding, strideH=stride[0], strideW=stride[1],
        filterHeight=window[0], filterWidth=window[1],
    )  # fmt: skip
    model = make_model(kind, [Spec((1, *size), *grid)], [Spec((1, *out, size[2]), *grid)], options)
    check(kernels, model, [random_int8(seed, (1, *size))])


@EXAMPLES
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(1, 37)),
    axes=st.sampled_from([(1,), (1, 2), (2, 1), (-3, -2), 1]),
    grid=GRIDS,
    ratio=st.floats(-8, 4),
    zero_point=ZERO_POINTS,
    keep=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_mean(
    kernels: Kernels, size: Any, axes: Any, grid: Any, ratio: float, zero_point: int, keep: bool, seed: int
) -> None:
    out_grid = (float(np.float32(grid[0] * 2.0**ratio)), zero_point)
    model = reduce_model("MEAN", (1, *size), axes, grid, out_grid, keep)
    assert check(kernels, model, [random_int8(seed, (1, *size))]) == "esv_mean_s8"


@pytest.mark.parametrize("extreme", [-128, 127])
@pytest.mark.parametrize("rows", [255, 256, 700])
def test_mean_of_many_extremes(kernels: Kernels, extreme: int, rows: int) -> None:
    for grids in [((0.1, -3), (0.1, -3)), ((0.1, 127), (0.05, -128)), ((0.1, -128), (0.2, 5))]:
        model = reduce_model("MEAN", (1, rows, 2, 5), (1, 2), *grids)
        check(kernels, model, [np.full((1, rows, 2, 5), extreme, np.int8)])


INNER_AXES = [((1, 4, 5, 6), (2,)), ((1, 4, 5, 6), (3,)), ((1, 4, 5, 6), (2, 3)), ((1, 4, 5, 6), (1, 2, 3)),
              ((4, 6), (0,)), ((1, 7, 6), (1,)), ((1, 7, 6), (2,)), ((7,), (0,)), ((1, 9, 1, 6), (1, 2))]  # fmt: skip


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize(("shape", "axes"), INNER_AXES, ids=str)
def test_mean_and_sum_over_other_axes(kernels: Kernels, kind: str, shape: Any, axes: Any) -> None:
    for grids in [((0.1, -3), (0.1, -3)), ((0.1, 127), (0.05, -128)), ((0.1, -128), (0.9, 5))]:
        check(kernels, reduce_model(kind, shape, axes, *grids), [random_int8(1, shape)])


@EXAMPLES
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(1, 37)), axes=st.sampled_from([(1,), (1, 2)]),
       grid=GRIDS, ratio=st.floats(-2, 9), zero_point=ZERO_POINTS, seed=st.integers(0, 1000))  # fmt: skip
def test_sum(kernels: Kernels, size: Any, axes: Any, grid: Any, ratio: float, zero_point: int, seed: int) -> None:
    out_grid = (float(np.float32(grid[0] * 2.0**ratio)), zero_point)
    check(kernels, reduce_model("SUM", (1, *size), axes, grid, out_grid), [random_int8(seed, (1, *size))])


@pytest.mark.parametrize("kind", ["REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize("axes", [(1,), (1, 2)])
def test_extremum_over_rows(kernels: Kernels, kind: str, axes: Any) -> None:
    check(kernels, reduce_model(kind, (1, 5, 4, 6), axes, (0.1, 3), (0.1, 3)), [random_int8(1, (1, 5, 4, 6))])


@EXAMPLES
@given(
    shape=st.sampled_from([(1, 3, 4, 37), (1, 1, 1, 300), (5, 2), (17,), (1, 2, 10)]),
    scale=SCALES,
    beta=st.sampled_from([1.0, 0.5, 3.0]),
    spread=st.integers(0, 128),
    seed=st.integers(0, 999),
)
def test_softmax(kernels: Kernels, shape: Any, scale: float, beta: float, spread: int, seed: int) -> None:
    options = schema.SoftmaxOptionsT()
    options.beta = beta
    model = make_model("SOFTMAX", [Spec(shape, scale, 5)], [Spec(shape, 1 / 256, -128)], options)
    values = np.random.default_rng(seed).integers(-spread, max(1, spread), shape).astype(np.int8)
    check(kernels, model, [values])
