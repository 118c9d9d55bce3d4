"""Whatever scales, shapes and options a file gives an operator, it is compiled or refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from edge_sv_converters.c_source.operators.table import LOWERINGS
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.errors import DataError
from tests.converters.operator_checks import ZERO_POINTS
from tests.converters.single_operator import Spec, constant, fused, lower_model, make_model
from tests.firmware.conftest import REPOSITORY

ANY_SCALES = st.one_of(st.sampled_from([1.5e-45, 1e-38, 1e-20, 1e-10, 1.0, 1e10, 1e20, 3.4e38]), st.floats(1e-44, 3e38))
MANY = settings(max_examples=30, deadline=None)
ANY_GRIDS = st.tuples(ANY_SCALES, ZERO_POINTS)
PAIRS = {
    "ADD": schema.AddOptionsT,
    "SUB": schema.SubOptionsT,
    "MUL": schema.MulOptionsT,
    "SQUARED_DIFFERENCE": schema.SquaredDifferenceOptionsT,
    "PRELU": lambda: None,
}
INTEGERS = st.lists(st.integers(-9, 9) | st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=8)
AXES = st.lists(st.integers(-6, 6), min_size=1, max_size=5)
NUMBERS = st.floats(width=32)
UNARY = "ABS RELU RELU6 HARD_SWISH QUANTIZE ELU LOGISTIC TANH RSQRT".split()


def lower_or_refuse(kind: str, model: bytes) -> None:
    """Lower a model; an error must say that it cannot be compiled, and of an operator which one."""
    try:
        lower_model(model)
    except DataError as error:
        assert f"cannot compile operator 0, {kind}" in str(error) or "cannot compile tensor" in str(error)


@MANY
@given(kind=st.sampled_from(sorted(PAIRS)), a=ANY_GRIDS, b=ANY_GRIDS, out=ANY_GRIDS, activation=st.integers(-1, 6))
def test_pairs(kind: str, a: Any, b: Any, out: Any, activation: int) -> None:
    options = PAIRS[kind]()
    if kind in ("ADD", "SUB", "MUL"):
        options.fusedActivationFunction = max(0, activation)
    shape = (1, 2, 2, 3)
    lower_or_refuse(kind, make_model(kind, [Spec(shape, *a), Spec(shape, *b)], [Spec(shape, *out)], options))


@MANY
@given(
    kind=st.sampled_from([*UNARY, "LEAKY_RELU", "SOFTMAX"]), grid=ANY_GRIDS, out=ANY_GRIDS, number=st.floats(width=32)
)
def test_functions_of_one_value(kind: str, grid: Any, out: Any, number: float) -> None:
    options: Any = None
    if kind == "LEAKY_RELU":
        options = schema.LeakyReluOptionsT()
        options.alpha = number
    if kind == "SOFTMAX":
        options, out = schema.SoftmaxOptionsT(), (1 / 256, -128)
        options.beta = number
    lower_or_refuse(kind, make_model(kind, [Spec((2, 3), *grid)], [Spec((2, 3), *out)], options))


@MANY
@given(
    kind=st.sampled_from(["MEAN", "SUM"]), grid=ANY_GRIDS, out=ANY_GRIDS, axes=st.lists(st.integers(-6, 6), max_size=5)
)
def test_reductions(kind: str, grid: Any, out: Any, axes: list[int]) -> None:
    options = schema.ReducerOptionsT()
    options.keepDims = True
    shape = (1, 1, 1, 3)
    lower_or_refuse(kind, make_model(kind, [Spec((1, 2, 4, 3), *grid), constant(axes)], [Spec(shape, *out)], options))


@MANY
@given(
    kind=st.sampled_from(["MAX_POOL_2D", "AVERAGE_POOL_2D"]),
    numbers=st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 5), min_size=4, max_size=4),
    padding=st.integers(0, 1),
)
def test_pools(kind: str, numbers: list[int], padding: int) -> None:
    names = ("strideH", "strideW", "filterHeight", "filterWidth")
    options = fused(schema.Pool2DOptionsT(), padding=padding, **dict(zip(names, numbers, strict=True)))
    lower_or_refuse(kind, make_model(kind, [Spec((1, 4, 4, 3), 0.1, 0)], [Spec((1, 2, 2, 3), 0.1, 0)], options))


@MANY
@given(
    kind=st.sampled_from(["SLICE", "STRIDED_SLICE", "PAD", "TRANSPOSE", "SPLIT_V", "RESIZE_NEAREST_NEIGHBOR"]),
    constants=st.lists(INTEGERS, min_size=3, max_size=3),
    out=st.lists(st.integers(1, 9), max_size=4),
    masks=st.tuples(*[st.integers(0, 15)] * 5),
)
def test_moves(kind: str, constants: list[list[int]], out: list[int], masks: tuple[int, ...]) -> None:
    options: Any = None
    if kind == "STRIDED_SLICE":
        options = schema.StridedSliceOptionsT()
        names = ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")
        for name, mask in zip(names, masks, strict=True):
            setattr(options, name, mask)
    if kind == "RESIZE_NEAREST_NEIGHBOR":
        options = schema.ResizeNearestNeighborOptionsT()
    inputs = [Spec((1, 3, 4, 5), 0.1, 0), *(constant(np.array(values, np.int32)) for values in constants)]
    lower_or_refuse(kind, make_model(kind, inputs, [Spec(tuple(out), 0.1, 0)], options))


@pytest.mark.parametrize("kind", ["ADD", "MUL", "SUB", "LOGISTIC", "SOFTMAX", "MEAN", "MAX_POOL_2D", "MAXIMUM"])
def test_another_type_is_refused_by_name(kind: str) -> None:
    spec = Spec((1, 2, 2, 3), 0.1, 0, dtype="int16")
    second = [constant((1, 2))] if kind == "MEAN" else [spec]
    inputs = [spec] if kind in ("LOGISTIC", "SOFTMAX", "MAX_POOL_2D") else [spec, *second]
    model = make_model(kind, inputs, [Spec((1, 2, 2, 3), 0.1, 0, dtype="int16")])
    with pytest.raises(DataError, match=f"cannot compile operator 0, {kind} .*int16"):
        lower_model(model)


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(DataError, match=r"no kernel computes GATHER_ND(.|\n)*known"):
        lower_model(make_model("GATHER_ND", [Spec((2, 2), 0.1, 0), constant([[0]])], [Spec((1, 2), 0.1, 0)]))


def test_the_document_lists_every_operator() -> None:
    table = [line for line in (REPOSITORY / "docs" / "operators.md").read_text().splitlines() if line.startswith("| ")]
    named = [kind for line in table[1:] for kind in line.split("|")[1].replace(",", " ").split()]
    assert sorted(named) == sorted(LOWERINGS)
