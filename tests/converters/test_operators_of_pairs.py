"""Alone, each operator computes what TensorFlow Lite Micro computes, bit for bit: those of two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.errors import DataError
from tests.converters.kernel_calls import Kernels
from tests.converters.operator_checks import (
    ACTIVATIONS,
    EXAMPLES,
    GRIDS,
    SHAPES,
    ZERO_POINTS,
    all_pairs,
    check,
    pair_model,
    random_int8,
)
from tests.converters.single_operator import Spec, constant, fused, lower_model, make_model

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")


@EXAMPLES
@given(kind=st.sampled_from(["ADD", "SUB", "MUL"]), a=GRIDS, b=GRIDS, ratio=st.floats(-6, 6), activation=ACTIVATIONS)
def test_all_pairs_of_values(
    kernels: Kernels, kind: str, a: tuple[float, int], b: tuple[float, int], ratio: float, activation: str
) -> None:
    scale = a[0] * b[0] * 128 if kind == "MUL" else max(a[0], b[0])
    output = (float(np.float32(scale * 2.0**ratio)), a[1])
    model = pair_model(kind, [(1, 256, 1, 256)] * 2, [a, b, output], activation=activation)
    check(kernels, model, all_pairs())


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
@pytest.mark.parametrize("sizes", [(1.0, 1.0, 2.0), (0.5, 1.0, 4.0), (1.0, 1.0, 1.0), (0.25, 0.25, 0.125)])
def test_sums_that_fall_on_halves(kernels: Kernels, kind: str, sizes: tuple[float, float, float]) -> None:
    for zero_point in (-128, 0, 5, 127):
        grids = [(size, zero_point) for size in sizes]
        check(kernels, pair_model(kind, [(1, 256, 1, 256)] * 2, grids, activation="NONE"), all_pairs())


def test_a_grid_without_a_short_sum_takes_the_long_way(kernels: Kernels) -> None:
    usual = pair_model("ADD", [(1, 256, 1, 256)] * 2, [(0.04, -128), (0.03, 7), (0.05, -128)], activation="NONE")
    assert check(kernels, usual, all_pairs()) == "esv_add_s8"
    rare = pair_model("ADD", [(1, 256, 1, 256)] * 2, [(0.0471, -128), (0.031, 7), (0.052, -128)], activation="NONE")
    assert check(kernels, rare, all_pairs()) == "esv_add_rounded_s8"


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_shapes_that_meet(kernels: Kernels, kind: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    scale = 4.0 if kind == "MUL" else 0.06
    for grids in ([(0.04, -128), (0.03, 7), (scale, -9)], [(0.0471, -128), (0.031, 7), (0.0005, -128)]):
        inputs = [random_int8(seed, shape) for seed, shape in enumerate(shapes)]
        check(kernels, pair_model(kind, shapes, grids, activation="NONE"), inputs)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("shapes", [((2, 3, 2, 5), (1, 3, 2, 5)), ((1, 3, 4, 5, 6), (4, 5, 6))], ids=str)
def test_shapes_that_meet_along_some_rows_only_are_refused(kind: str, shapes: Any) -> None:
    with pytest.raises(DataError, match=f"{kind}.*repeated along some rows"):
        lower_model(pair_model(kind, shapes, [(1.0, 0), (1.0, 0), (2.0, 0)]))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_a_constant_makes_a_table(kernels: Kernels, kind: str, first: bool) -> None:
    varied, fixed = (
        Spec((1, 4, 8, 8), 0.05, -3),
        constant(np.full((1, 1), 77), dtype="int8", scale=0.01, zero_point=-128),
    )
    options = {"ADD": schema.AddOptionsT, "MUL": schema.MulOptionsT, "SUB": schema.SubOptionsT}[kind]()
    pair = [fixed, varied] if first else [varied, fixed]
    model = make_model(kind, pair, [Spec((1, 4, 8, 8), 0.04, 9)], fused(options, "RELU6"))
    values = np.arange(-128, 128).astype(np.int8).reshape(1, 4, 8, 8)
    assert check(kernels, model, [values]) == "esv_lookup_s8"


def test_a_square_is_a_table(kernels: Kernels) -> None:
    x = Spec((1, 4, 8, 8), 0.05, -3)
    model = make_model("MUL", [x, x], [Spec((1, 4, 8, 8), 0.1, -128)], fused(schema.MulOptionsT()))
    assert check(kernels, model, [np.arange(-128, 128).astype(np.int8).reshape(1, 4, 8, 8)]) == "esv_lookup_s8"


@pytest.mark.parametrize("kind", ["ADD", "MUL"])
def test_a_constant_of_many_values(kernels: Kernels, kind: str) -> None:
    options = {"ADD": schema.AddOptionsT, "MUL": schema.MulOptionsT}[kind]()
    for shape in ((1, 1, 1, 9), (1, 4, 5, 9), (9,)):
        bias = constant(random_int8(3, shape), dtype="int8", scale=0.02, zero_point=4)
        model = make_model(kind, [Spec((1, 4, 5, 9), 0.05, -3), bias], [Spec((1, 4, 5, 9), 0.06, 9)], fused(options))
        check(kernels, model, [random_int8(1, (1, 4, 5, 9))])


@EXAMPLES
@given(a=GRIDS, b=GRIDS, ratio=st.floats(1, 8), zero_point=ZERO_POINTS)
def test_squared_difference(kernels: Kernels, a: Any, b: Any, ratio: float, zero_point: int) -> None:
    scale = float(np.float32(max(a[0], b[0]) ** 2 * 2.0**ratio))
    shape = (1, 256, 1, 256)
    output = Spec(shape, scale, zero_point)
    options = schema.SquaredDifferenceOptionsT()
    model = make_model("SQUARED_DIFFERENCE", [Spec(shape, *a), Spec(shape, *b)], [output], options)
    check(kernels, model, all_pairs())


@EXAMPLES
@given(a=GRIDS, b=GRIDS, ratio=st.floats(-4, 4), zero_point=ZERO_POINTS, seed=st.integers(0, 99))
def test_prelu(kernels: Kernels, a: Any, b: Any, ratio: float, zero_point: int, seed: int) -> None:
    slopes = constant(random_int8(seed, (1, 1, 7)), dtype="int8", scale=b[0], zero_point=b[1])
    output = Spec((1, 256, 3, 7), float(np.float32(max(a[0], a[0] * b[0]) * 2.0**ratio)), zero_point)
    model = make_model("PRELU", [Spec((1, 256, 3, 7), *a), slopes], [output])
    values = np.broadcast_to(np.arange(-128, 128).astype(np.int8).reshape(1, 256, 1, 1), (1, 256, 3, 7))
    check(kernels, model, [np.ascontiguousarray(values)])


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("shapes", SHAPES[:10], ids=str)
def test_extremum_of_two(kernels: Kernels, kind: str, shapes: Any) -> None:
    a, b = (Spec(shape, 0.1, 3) for shape in shapes)
    output = Spec(np.broadcast_shapes(*shapes), 0.1, 3)
    model = make_model(kind, [a, b], [output], schema.MaximumMinimumOptionsT())
    check(kernels, model, [random_int8(seed, shape) for seed, shape in enumerate(shapes)])
