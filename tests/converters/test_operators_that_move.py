"""Alone, each operator computes what TensorFlow Lite Micro computes, bit for bit: slices, splits, padding, joins."""

from __future__ import annotations

from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.converters.kernel_calls import Kernels
from tests.converters.operator_checks import (
    check,
    random_int8,
)
from tests.converters.single_operator import Spec, constant, fused, make_model

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")


def slice_options(begin: int = 0, end: int = 0, shrink: int = 0) -> Any:
    options = schema.StridedSliceOptionsT()
    options.beginMask, options.endMask, options.shrinkAxisMask = begin, end, shrink
    return options


CUTS = [
    ((0, 0, 0, 3), (1, 5, 4, 9), (1, 1, 1, 1), slice_options()),
    ((0, 0, 0, 3), (0, 0, 0, 9), (1, 1, 1, 1), slice_options(7, 7)),
    ((0, 0, 0, -3), (0, 0, 0, 0), (1, 1, 1, 1), slice_options(7, 15)),
    ((0, 0, 1, 0), (1, 5, 4, 10), (1, 1, 2, 3), slice_options()),
    ((0, 1, 0, 0), (1, 4, 4, 10), (1, 1, 1, 1), slice_options()),
    ((0, 4, 0, 9), (1, 0, 4, 0), (1, -2, 1, -3), slice_options()),
    ((0, -1, 0, 0), (1, 0, 4, 10), (1, 1, 1, 1), slice_options(0, 0, 2)),
    ((0, 0, 2, 0), (1, 5, 3, 10), (1, 1, 1, 1), slice_options(0, 0, 4)),
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: str(cut[:3]))
def test_strided_slice(kernels: Kernels, cut: Any) -> None:
    begin, end, strides, options = cut
    values = random_int8(1, (1, 5, 4, 10))
    index: list[Any] = []
    for axis in range(4):
        bounds = [None if mask & 1 << axis else n[axis] for mask, n in
                  ((options.beginMask, begin), (options.endMask, end))]  # fmt: skip
        index.append(begin[axis] if options.shrinkAxisMask & 1 << axis else slice(*bounds, strides[axis]))
    wanted = values[tuple(index)]
    inputs = [Spec((1, 5, 4, 10), 0.1, 3), constant(begin), constant(end), constant(strides)]
    model = make_model("STRIDED_SLICE", inputs, [Spec(wanted.shape, 0.1, 3)], options)
    check(kernels, model, [values])


@pytest.mark.parametrize("cut", [((0, 1, 0, 2), (1, 3, -1, 5)), ((0, 0, 1, 0), (-1, -1, 2, -1))], ids=str)
def test_slice(kernels: Kernels, cut: Any) -> None:
    begin, size = cut
    values = random_int8(1, (1, 5, 4, 10))
    wanted = values[tuple(slice(b, None if s == -1 else b + s) for b, s in zip(begin, size, strict=True))]
    inputs = [Spec((1, 5, 4, 10), 0.1, 3), constant(begin), constant(size)]
    model = make_model("SLICE", inputs, [Spec(wanted.shape, 0.1, 3)], schema.SliceOptionsT())
    check(kernels, model, [values])


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_split(kernels: Kernels, axis: int) -> None:
    shape = (1, 4, 6, 8)
    part = tuple(n // 2 if i == axis % 4 else n for i, n in enumerate(shape))
    options = schema.SplitOptionsT()
    options.numSplits = 2
    model = make_model(
        "SPLIT", [constant(axis), Spec(shape, 0.1, 3)], [Spec(part, 0.1, 3), Spec(part, 0.1, 3)], options
    )
    check(kernels, model, [random_int8(2, shape)])


@pytest.mark.parametrize("axis", [1, 3])
def test_split_v(kernels: Kernels, axis: int) -> None:
    shape, sizes = (1, 6, 2, 6), (1, 3, 2)
    parts = [Spec(tuple(n if i == axis else m for i, m in enumerate(shape)), 0.1, 3) for n in sizes]
    options = schema.SplitVOptionsT()
    options.numSplits = 3
    model = make_model("SPLIT_V", [Spec(shape, 0.1, 3), constant(sizes), constant(axis)], parts, options)
    check(kernels, model, [random_int8(2, shape)])


@pytest.mark.parametrize("order", [(0, 1, 3, 2), (0, 3, 2, 1), (0, 2, 1, 3), (3, 2, 1, 0), (0, 1, 2, 3)], ids=str)
def test_transpose(kernels: Kernels, order: tuple[int, ...]) -> None:
    shape = (1, 3, 4, 5)
    out = tuple(shape[axis] for axis in order)
    model = make_model(
        "TRANSPOSE", [Spec(shape, 0.1, 3), constant(order)], [Spec(out, 0.1, 3)], schema.TransposeOptionsT()
    )
    check(kernels, model, [random_int8(2, shape)])


@pytest.mark.parametrize("axis", [2, 3, -1])
def test_concatenation(kernels: Kernels, axis: int) -> None:
    shapes = [tuple(n if i == axis % 4 else m for i, m in enumerate((1, 3, 4, 5))) for n in (1, 4, 7)]
    whole = tuple(12 if i == axis % 4 else m for i, m in enumerate((1, 3, 4, 5)))
    options = fused(schema.ConcatenationOptionsT(), axis=axis)
    model = make_model("CONCATENATION", [Spec(s, 0.1, 3) for s in shapes], [Spec(whole, 0.1, 3)], options)
    check(kernels, model, [random_int8(i, s) for i, s in enumerate(shapes)])


@pytest.mark.parametrize("kind", ["PAD", "PADV2"])
@pytest.mark.parametrize(
    ("shape", "padding"),
    [
        ((1, 3, 4, 5), ((0, 0), (1, 2), (2, 1), (0, 0))),
        ((1, 3, 4, 5), ((0, 0), (0, 0), (0, 3), (1, 2))),
        ((1, 3, 4, 5), ((0, 0), (2, 0), (0, 0), (0, 0))),
        ((1, 3, 4, 5), ((1, 0), (1, 0), (0, 0), (0, 0))),
        ((3, 5), ((1, 2), (0, 1))),
    ],
    ids=str,
)
def test_pad(kernels: Kernels, kind: str, shape: Any, padding: Any) -> None:
    out = tuple(n + sum(sides) for n, sides in zip(shape, padding, strict=True))
    inputs = [Spec(shape, 0.1, 3), constant(padding)]
    if kind == "PADV2":
        inputs.append(constant([-77], dtype="int8", scale=0.1, zero_point=3))
    options = schema.PadOptionsT() if kind == "PAD" else schema.PadV2OptionsT()
    check(kernels, make_model(kind, inputs, [Spec(out, 0.1, 3)], options), [random_int8(1, shape)])


@pytest.mark.parametrize("factors", [(2, 2), (1, 3), (1, 1)], ids=str)
def test_resize_nearest(kernels: Kernels, factors: tuple[int, int]) -> None:
    out = (1, 3 * factors[0], 4 * factors[1], 5)
    inputs = [Spec((1, 3, 4, 5), 0.1, 3), constant(out[1:3])]
    model = make_model("RESIZE_NEAREST_NEIGHBOR", inputs, [Spec(out, 0.1, 3)], schema.ResizeNearestNeighborOptionsT())
    check(kernels, model, [random_int8(1, (1, 3, 4, 5))])
