"""Operators with weights, alone: the C kernels compute what TensorFlow Lite Micro computes, bit for bit."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from edge_sv_converters.c_source.calls import Call, RowCall
from edge_sv_converters.c_source.compressed import with_compressed_weights
from edge_sv_converters.c_source.graph import read_graph
from edge_sv_converters.c_source.operators.table import lower_graph
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import pack_model, parse_model
from tests.conv_cases import SOURCES
from tests.converters.kernel_calls import Kernels
from tests.converters.single_operator import Spec, constant, fused, make_model, run_tflm
from tests.firmware.conftest import COMMON, WARNINGS, run, tool

pytest.importorskip("tflite_micro", reason="pip install edge-sv[micro]")

EXAMPLES = settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
ACTIVATIONS = st.sampled_from(["NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
ZERO_POINTS = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))
PADDINGS = st.sampled_from([schema.Padding.SAME, schema.Padding.VALID])
Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """The kernels for this computer, under the strict flags; undefined behaviour ends the process."""
    library = tmp_path_factory.mktemp("weighted") / "kernels.so"
    flags = ["-std=c99", "-O1", "-fPIC", "-shared", *WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    run([tool("gcc"), *flags, "-I", COMMON / "include", *SOURCES, "-o", library])
    return Kernels(ctypes.CDLL(str(library)), COMMON / "include")


def weighted_model(
    kind: str, image: tuple[int, ...], weights: Array, out: tuple[int, ...], options: Any, *, grids: Any, seed: int,
    axis: int | None, with_bias: bool = True, int4: bool = False,
) -> bytes:  # fmt: skip
    """Write a model of one operator with weights; `axis`: along which their scales run, None: one scale."""
    rng = np.random.default_rng(seed)
    (in_zero_point, out_zero_point), in_scale = grids, 0.05
    channels = 1 if axis is None else weights.shape[axis]
    scales = rng.uniform(0.005, 0.02, channels).astype(np.float32)
    fan_in = weights.size / out[-1]
    out_scale = float(in_scale * 0.01 * 74 * max(1.0, float(weights.std())) * np.sqrt(fan_in) / 60)
    inputs = [Spec(image, in_scale, in_zero_point), constant(weights, dtype="int8", scale=1.0)]
    if with_bias:
        inputs.append(constant(rng.integers(-9000, 9000, out[-1]), scale=1.0))
    tree = parse_model(make_model(kind, inputs, [Spec(out, out_scale, out_zero_point)], options))
    tensors = tree.subgraphs[0].tensors
    for tensor, values in zip(tensors[1:3], (scales, scales * np.float32(in_scale)), strict=False):
        if tensor.type != schema.TensorType.INT8 or tensor is tensors[1]:
            tensor.quantization.scale = values
            tensor.quantization.zeroPoint = np.zeros(channels, np.int64)
            tensor.quantization.quantizedDimension = (axis or 0) if tensor is tensors[1] else 0
    if not with_bias:
        tree.subgraphs[0].operators[0].inputs = [0, 1, -1]
    if int4:
        nibbles = np.append(weights.ravel(), np.zeros(weights.size % 2, np.int8)).astype(np.uint8) & 15
        tensors[1].type = schema.TensorType.INT4
        tree.buffers[tensors[1].buffer].data = nibbles[0::2] | (nibbles[1::2] << 4)
    return pack_model(tree)


def check(kernels: Kernels, model: bytes, image: Array, *, compressed: bool = False) -> tuple[Call, ...]:
    """Compare the kernels, by rows and where there is a second way by lines, with TensorFlow Lite Micro."""
    (wanted,) = run_tflm(model, [image])
    graph = read_graph(model)
    calls = lower_graph(with_compressed_weights(graph) if compressed else graph).calls
    whole = tuple(call.whole for call in calls if isinstance(call, RowCall) and call.whole is not None)
    for ways in [calls, whole] if whole else [calls]:
        for (got,) in kernels.run(ways, [image]):
            np.testing.assert_array_equal(got.ravel(), wanted.ravel())
    return calls


def random_image(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = rng.integers(-128, 128, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([-128, 127], shape), values).astype(np.int8)


def out_size(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    span = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == schema.Padding.SAME else (size - span) // stride + 1


WINDOWS = st.fixed_dictionaries({
    "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    "size": st.tuples(st.integers(7, 11), st.one_of(st.just(0), st.integers(7, 14))),
    "padding": PADDINGS,
    "activation": ACTIVATIONS,
})  # fmt: skip


def image_options(made: Any, window: dict[str, Any], **more: Any) -> tuple[Any, tuple[int, int], tuple[int, int]]:
    """Return options, input size and output size; a width of 0 stands for images one pixel wide."""
    kernel, stride, dilation = window["kernel"], window["stride"], window["dilation"]
    size = window["size"]
    if size[1] == 0:
        kernel, size = (kernel[0], 1), (size[0], 1)
    options = fused(
        made, window["activation"], strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], padding=window["padding"], **more,
    )  # fmt: skip
    sizes = [out_size(*axis, window["padding"]) for axis in zip(size, kernel, stride, dilation, strict=True)]
    window["kernel"] = kernel
    return options, size, (sizes[0], sizes[1])


@EXAMPLES
@given(
    window=WINDOWS, depth=st.integers(1, 9), channels=st.integers(1, 7), grids=st.tuples(ZERO_POINTS, ZERO_POINTS),
    per_channel=st.booleans(), with_bias=st.booleans(), values=st.sampled_from(["int8", "int4", "few"]),
    seed=st.integers(0, 1 << 30),
)  # fmt: skip
def test_conv(
    kernels: Kernels, window: Any, depth: int, channels: int, grids: Any, per_channel: bool, with_bias: bool,
    values: str, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    options, size, out = image_options(schema.Conv2DOptionsT(), dict(window))
    kernel = (window["kernel"][0], window["kernel"][1] if size[1] > 1 else 1)
    shape = (channels, *kernel, depth)
    weights = {
        "int8": lambda: rng.integers(-127, 128, shape),
        "int4": lambda: rng.integers(-7, 8, shape),
        "few": lambda: rng.choice([-100, -31, -3, 77, 127], shape),
    }[values]()
    model = weighted_model(
        "CONV_2D", (1, *size, depth), weights.astype(np.int8), (1, *out, channels), options, grids=grids, seed=seed,
        axis=0 if per_channel or values == "int4" else None, with_bias=with_bias, int4=values == "int4",
    )  # fmt: skip
    check(kernels, model, random_image(rng, (1, *size, depth)), compressed=values == "few")


@EXAMPLES
@given(
    window=WINDOWS, depth=st.integers(1, 9), multiplier=st.integers(1, 3), grids=st.tuples(ZERO_POINTS, ZERO_POINTS),
    seed=st.integers(0, 1 << 30),
)  # fmt: skip
def test_depthwise(kernels: Kernels, window: Any, depth: int, multiplier: int, grids: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    window = {**window, "stride": (window["stride"][0],) * 2}  # TensorFlow Lite knows no other depthwise strides
    options, size, out = image_options(schema.DepthwiseConv2DOptionsT(), window, depthMultiplier=multiplier)
    weights = rng.integers(-127, 128, (1, *window["kernel"], depth * multiplier)).astype(np.int8)
    model = weighted_model(
        "DEPTHWISE_CONV_2D", (1, *size, depth), weights, (1, *out, depth * multiplier), options, grids=grids,
        seed=seed, axis=3,
    )  # fmt: skip
    check(kernels, model, random_image(rng, (1, *size, depth)))


@EXAMPLES
@given(
    image=st.sampled_from([(1, 40), (3, 17), (1, 4, 2, 6), (1, 3, 5, 8)]), channels=st.integers(1, 9),
    keep=st.booleans(), activation=ACTIVATIONS, grids=st.tuples(ZERO_POINTS, ZERO_POINTS), seed=st.integers(0, 1 << 30),
    with_bias=st.booleans(), per_channel=st.booleans(),
)  # fmt: skip
def test_fully_connected(
    kernels: Kernels, image: tuple[int, ...], channels: int, keep: bool, activation: str, grids: Any, seed: int,
    with_bias: bool, per_channel: bool,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    flat = int(np.prod(image[1:])) if not keep and len(image) > 2 else image[-1]
    out = (*image[:-1], channels) if keep else (int(np.prod(image)) // flat, channels)
    options = fused(schema.FullyConnectedOptionsT(), activation, keepNumDims=keep, weightsFormat=0)
    weights = rng.integers(-127, 128, (channels, flat)).astype(np.int8)
    model = weighted_model(
        "FULLY_CONNECTED", image, weights, out, options, grids=grids, seed=seed, with_bias=with_bias,
        axis=0 if per_channel else None,
    )  # fmt: skip
    check(kernels, model, random_image(rng, image))


def test_what_lies_cannot_be_compiled() -> None:
    options, size, out = image_options(
        schema.Conv2DOptionsT(),
        {"kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1), "size": (8, 8), "padding": 0, "activation": "NONE"},
    )
    weights = np.ones((4, 3, 3, 2), np.int8)
    given_: dict[str, Any] = {"grids": (0, 0), "seed": 0, "axis": 0}
    sound = weighted_model("CONV_2D", (1, *size, 2), weights, (1, *out, 4), options, **given_)
    graph = read_graph(sound)
    operation = graph.operations[0]
    lies = {
        "output": replace(operation, outputs=(replace(operation.output, shape=(1, 7, 8, 4)),)),
        "depth": replace(operation, inputs=(replace(operation.input(0), shape=(1, 8, 8, 3)), *operation.inputs[1:])),
        "stride": replace(operation, options={**operation.options, "strideW": 0}),
        "huge stride": replace(operation, options={**operation.options, "strideW": 1 << 20}),
        "computed weights": replace(
            operation, inputs=(operation.input(0), replace(operation.input(1), values=None), operation.input(2))
        ),
        "bias": replace(operation, inputs=(*operation.inputs[:2], replace(operation.input(2), shape=(3,)))),
    }  # fmt: skip
    for what, lie in lies.items():
        with pytest.raises(DataError, match="CONV_2D"):
            pytest.fail(f"{what} was compiled to {lower_graph(replace(graph, operations=(lie,)))}")
