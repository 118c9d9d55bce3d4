"""Float32 operators alone: the bits of TensorFlow Lite Micro, or the stated distance where an exponential enters."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_sv.errors import DataError
from edge_sv.system.array_types import Float32
from tests.converters.kernel_calls import Kernels
from tests.converters.operator_checks import SHAPES, check, random_int8
from tests.converters.single_operator import Spec, constant, fused, lower_model, make_model, run_tflm

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")

PAIRS = {
    "ADD": schema.AddOptionsT,
    "SUB": schema.SubOptionsT,
    "MUL": schema.MulOptionsT,
    "DIV": schema.DivOptionsT,
    "MAXIMUM": schema.MaximumMinimumOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT,
    "SQUARED_DIFFERENCE": schema.SquaredDifferenceOptionsT,
}


def real(shape: tuple[int, ...], values: Any = None) -> Spec:
    return Spec(shape, dtype="float32", values=values)


def random_floats(seed: int, shape: tuple[int, ...], spread: float = 3.0) -> Float32:
    return np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)


def all_exponents(seed: int) -> Float32:
    """Positive numbers of every size, the smallest below the normal ones, (4096,)."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(1, 0x7F800000, 4096, dtype=np.int64)
    return bits.astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6"])
@pytest.mark.parametrize("shapes", SHAPES[:11], ids=str)
@pytest.mark.parametrize("kind", PAIRS)
def test_pairs(kernels: Kernels, kind: str, shapes: Any, activation: str) -> None:
    options = PAIRS[kind]()
    if hasattr(options, "fusedActivationFunction"):
        fused(options, activation)
    model = make_model(kind, [real(s) for s in shapes], [real(np.broadcast_shapes(*shapes))], options)
    check(kernels, model, [random_floats(seed, shape) for seed, shape in enumerate(shapes)])


@pytest.mark.parametrize("kind", ["ABS", "NEG", "SQUARE", "SQRT", "RSQRT", "RELU", "RELU6"])
def test_exact_functions(kernels: Kernels, kind: str) -> None:
    values = all_exponents(1)
    if kind not in ("SQRT", "RSQRT"):
        values = np.concatenate([random_floats(1, (2048,)), -values[:2048]])
    if kind == "SQUARE":
        values = random_floats(1, (4096,))
    check(kernels, make_model(kind, [real((4096,))], [real((4096,))]), [values])


def distance(got: Float32, wanted: npt.NDArray[Any]) -> float:
    """The largest error in units of the exact value's last place."""
    exact = np.asarray(wanted, np.float64)
    unit = np.spacing(np.maximum(np.abs(exact), float(np.finfo(np.float32).tiny)).astype(np.float32)).astype(np.float64)
    return float((np.abs(got.astype(np.float64) - exact) / unit).max())


@pytest.mark.parametrize(
    ("kind", "exact", "limit"),
    [
        ("EXP", np.exp, 1.5),
        ("LOGISTIC", lambda x: np.where(x < -9, np.exp(x), 1 / (1 + np.exp(-x))), 3.0),  # as TensorFlow Lite has it
        ("TANH", np.tanh, 3.0),
    ],
)
def test_exponentials_are_close_to_the_exact_value(kernels: Kernels, kind: str, exact: Any, limit: float) -> None:
    small = np.geomspace(1e-6, 30, 3000)
    values = np.concatenate([small, -small, np.linspace(-20, 20, 4001), [0.0]]).astype(np.float32)
    model = make_model(kind, [real(values.shape)], [real(values.shape)])
    expected = run_tflm(model, [values])[0].ravel()
    for (got,) in kernels.run(lower_model(model), [values]):
        assert distance(got.ravel(), exact(values.astype(np.float64))) <= limit
        assert distance(got.ravel(), expected) <= limit + 1


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_softmax_is_close(kernels: Kernels, beta: float) -> None:
    shape = (1, 6, 3, 50)
    options = schema.SoftmaxOptionsT()
    options.beta = beta
    model = make_model("SOFTMAX", [real(shape)], [real(shape)], options)
    values = random_floats(3, shape, 5.0)
    wanted = run_tflm(model, [values])[0].reshape(shape)
    for (got,) in kernels.run(lower_model(model), [values]):
        np.testing.assert_allclose(got, wanted, rtol=6e-7)
        np.testing.assert_allclose(got.sum(axis=-1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
@pytest.mark.parametrize("axes", [(1,), (1, 2), (2,), (3,), (2, 3)], ids=str)
def test_means(kernels: Kernels, kind: str, axes: tuple[int, ...]) -> None:
    shape = (1, 7, 5, 6)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    model = make_model(kind, [real(shape), constant(axes)], [real(kept)], options)
    check(kernels, model, [random_floats(5, shape)])


@pytest.mark.parametrize("zero_point", [-128, -3, 127])
@pytest.mark.parametrize("scale", [0.05, 1.0, 3e-4])
def test_in_and_out_of_float(kernels: Kernels, scale: float, zero_point: int) -> None:
    shape = (1, 4, 8, 32)
    inside = make_model("QUANTIZE", [real(shape)], [Spec(shape, scale, zero_point)])
    values = random_floats(1, shape, 90 * scale)
    values[0, 0] = (np.arange(256).reshape(8, 32) - 128.5) * np.float32(scale)
    check(kernels, inside, [values])
    outside = make_model("DEQUANTIZE", [Spec(shape, scale, zero_point)], [real(shape)])
    check(kernels, outside, [random_int8(1, shape)])


MOVES: Sequence[tuple[str, Sequence[Any], tuple[int, ...], Any]] = [
    ("TRANSPOSE", [constant((0, 3, 2, 1))], (1, 5, 4, 3), schema.TransposeOptionsT),
    ("PAD", [constant(((0, 0), (1, 0), (0, 2), (1, 1)))], (1, 4, 6, 7), schema.PadOptionsT),
    ("SLICE", [constant((0, 1, 0, 2)), constant((1, 2, -1, 3))], (1, 2, 4, 3), schema.SliceOptionsT),
]


@pytest.mark.parametrize(("kind", "constants", "out", "options"), MOVES, ids=[kind for kind, *_ in MOVES])
def test_moves(kernels: Kernels, kind: str, constants: Sequence[Any], out: tuple[int, ...], options: Any) -> None:
    model = make_model(kind, [real((1, 3, 4, 5)), *constants], [real(out)], options())
    check(kernels, model, [random_floats(2, (1, 3, 4, 5))])


@pytest.mark.parametrize("kind", ["EXP", "SQRT", "NEG", "SQUARE"])
def test_what_has_no_int8_kernel_is_refused(kind: str) -> None:
    model = make_model(kind, [Spec((4,), 0.1, 0)], [Spec((4,), 0.1, 0)])
    with pytest.raises(DataError, match=f"cannot compile operator 0, {kind} 't1': its kernel takes float32, not int8"):
        lower_model(model)


def test_the_exponential_at_its_limits(kernels: Kernels) -> None:
    exp = kernels.function("esv_f32_exp")
    exp.restype, exp.argtypes = ctypes.c_float, [ctypes.c_float]
    assert exp(0.0) == 1.0
    assert exp(-200.0) == 0.0 < exp(-103.0) < 1e-44
    assert exp(100.0) == float("inf")
    assert np.isnan(exp(float("nan")))
    assert exp(88.7) == pytest.approx(float(np.exp(np.float64(np.float32(88.7)))), rel=1e-6)
