"""Every operator beside convolutions, alone: the C kernels compute what TensorFlow Lite Micro computes, bit for bit."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from edge_sv_converters.c_source.calls import KernelCall
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge_sv.errors import DataError
from tests.converters.kernel_calls import Kernels
from tests.converters.single_operator import Spec, constant, fused, lower_model, make_model, run_tflm
from tests.firmware.conftest import COMMON, WARNINGS, run, tool

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")

EXAMPLES = settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
SOURCES = "add broadcast clamp extremum lookup mean move mul pool prelu softmax squared_difference".split()
SCALES = st.floats(-12.0, 4.0).map(lambda power: float(np.float32(2.0**power)))
ZERO_POINTS = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))
ACTIVATIONS = st.sampled_from(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
PADDINGS = st.sampled_from([schema.Padding.SAME, schema.Padding.VALID])


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """The kernels for this computer, under the strict flags; undefined behaviour ends the process."""
    library = tmp_path_factory.mktemp("kernels") / "kernels.so"
    flags = ["-std=c99", "-O1", "-fPIC", "-shared", *WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    sources = [COMMON / "src" / f"esv_{name}.c" for name in SOURCES]
    run([tool("gcc"), *flags, "-I", COMMON / "include", *sources, "-o", library, "-lm"])
    return Kernels(ctypes.CDLL(str(library)), COMMON / "include")


def check(kernels: Kernels, model: bytes, inputs: Sequence[npt.NDArray[Any]]) -> str:
    """Compare a model's outputs, computed in every way, with TensorFlow Lite Micro's; return the first kernel."""
    expected = run_tflm(model, inputs)
    calls = lower_model(model)
    for outputs in kernels.run(calls, inputs):
        for got, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(got.ravel(), wanted.ravel())
    return calls[0].kernel if isinstance(calls[0], KernelCall) else "view"


def random_int8(seed: int, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """All values, the extremes more often."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([-128, 127], shape), values).astype(np.int8)


def all_pairs() -> list[npt.NDArray[np.int8]]:
    """Every pair of int8 values, (1, 256, 1, 256) each."""
    grid = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij")
    return [plane.astype(np.int8).reshape(1, 256, 1, 256) for plane in grid]


def pair_model(
    kind: str, shapes: Sequence[tuple[int, ...]], grids: Sequence[tuple[float, int]], **options: Any
) -> bytes:
    """Write a model of an operator of two inputs; grids of a, b and the output."""
    a, b = (Spec(shape, *grid) for shape, grid in zip(shapes, grids[:2], strict=True))
    output = Spec(np.broadcast_shapes(*shapes), *grids[2])
    made = {"ADD": schema.AddOptionsT, "MUL": schema.MulOptionsT, "SUB": schema.SubOptionsT}[kind]()
    return make_model(kind, [a, b], [output], fused(made, **options))


GRIDS = st.tuples(SCALES, ZERO_POINTS)


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


SHAPES = [
    ((1, 5, 3, 7), (1, 5, 3, 7)),
    ((1, 5, 3, 7), (1, 1, 1, 7)),
    ((1, 1, 1, 7), (1, 5, 3, 7)),
    ((1, 5, 3, 7), (7,)),
    ((1, 5, 3, 70), (1, 5, 3, 1)),
    ((1, 5, 3, 70), (1, 5, 1, 70)),
    ((1, 5, 3, 7), (1, 1, 3, 1)),
    ((1, 5, 3, 7), (1, 1, 1, 1)),
    ((1, 5, 1, 70), (1, 1, 3, 1)),
    ((1, 1, 3, 1), (1, 5, 1, 7)),
    ((4, 9), (4, 9)),
    ((4, 9), (1, 9)),
    ((9,), (9,)),
    ((1, 6, 8), (1, 1, 8)),
    ((2, 3, 2, 5), (2, 3, 2, 5)),
]


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


def unary_model(kind: str, grid: tuple[float, int], out_grid: tuple[float, int], options: Any = None) -> bytes:
    return make_model(kind, [Spec((1, 256), *grid)], [Spec((1, 256), *out_grid)], options)


ALL_VALUES = np.arange(-128, 128).astype(np.int8).reshape(1, 256)


@EXAMPLES
@given(kind=st.sampled_from(["LOGISTIC", "TANH"]), scale=SCALES, zero_point=ZERO_POINTS)
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


def reduce_model(kind: str, shape: tuple[int, ...], axes: Any, grid: Any, out_grid: Any, keep: bool = True) -> bytes:
    options = schema.ReducerOptionsT()
    options.keepDims = keep
    kept = np.zeros(shape).mean(axis=tuple(np.atleast_1d(axes)), keepdims=keep).shape
    return make_model(kind, [Spec(shape, *grid), constant(axes)], [Spec(kept, *out_grid)], options)


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


TABLES = ["ABS", "RELU", "HARD_SWISH", "QUANTIZE", "LEAKY_RELU", "ELU"]


@EXAMPLES
@given(kind=st.sampled_from(TABLES), grid=GRIDS, ratio=st.floats(-4, 4), zero_point=ZERO_POINTS, alpha=st.floats(0, 2))
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
