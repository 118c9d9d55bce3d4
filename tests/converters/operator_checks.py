"""What the tests of single operators share: random grids, and the comparison with TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from edge_sv_converters.c_source.calls import KernelCall
from hypothesis import Phase, settings
from hypothesis import strategies as st

from tests.converters.kernel_calls import Kernels
from tests.converters.single_operator import Spec, constant, fused, lower_model, make_model, run_tflm

EXAMPLES = settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


SCALES = st.floats(-12.0, 4.0).map(lambda power: float(np.float32(2.0**power)))


ZERO_POINTS = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))


ACTIVATIONS = st.sampled_from(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])


PADDINGS = st.sampled_from([schema.Padding.SAME, schema.Padding.VALID])


GRIDS = st.tuples(SCALES, ZERO_POINTS)


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


ALL_VALUES = np.arange(-128, 128).astype(np.int8).reshape(1, 256)


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


def unary_model(kind: str, grid: tuple[float, int], out_grid: tuple[float, int], options: Any = None) -> bytes:
    return make_model(kind, [Spec((1, 256), *grid)], [Spec((1, 256), *out_grid)], options)


def reduce_model(kind: str, shape: tuple[int, ...], axes: Any, grid: Any, out_grid: Any, keep: bool = True) -> bytes:
    options = schema.ReducerOptionsT()
    options.keepDims = keep
    kept = np.zeros(shape).mean(axis=tuple(np.atleast_1d(axes)), keepdims=keep).shape
    return make_model(kind, [Spec(shape, *grid), constant(axes)], [Spec(kept, *out_grid)], options)
