"""Weights are read out of .tflite files as the numbers they stand for, and put into a float model in their place."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_sv.analysis.graphs import (
    as_kernel,
    from_kernel,
    is_depthwise,
    read_biases,
    read_weights,
    weight_formats,
    with_weights,
)
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.runtimes.layer_trace import trace_values
from edge_sv.tflite.flatbuffer import (
    WEIGHTED,
    operators,
    pack_model,
    parse_model,
    tensor_data,
    tensor_name,
    tensor_scale,
)
from tests.int8_models import Int8Model
from tests.nets import voice_calibration

LAYER = "stage2_block1_conv1"


def int8_net() -> bytes:
    """A convolution, a depthwise one and a convolution, each output channel with its own scale."""
    net = Int8Model((1, 8, 6, 3), seed=1)
    return net.pack(net.conv(net.depthwise(net.conv(net.input, 4, (3, 3)), (3, 2)), 5))


def test_integers_times_the_scale_of_their_channel() -> None:
    model = int8_net()
    tree = parse_model(model)
    weights, biases = read_weights(model), read_biases(model)
    assert [array.shape for array in weights.values()] == [(4, 3, 3, 3), (1, 3, 2, 4), (5, 1, 1, 4)]
    assert [array.shape for array in biases.values()] == [(4,), (4,), (5,)]
    layers = list(zip(operators(tree), weights, strict=True))
    for operator, layer in layers:
        for position, found in ((1, weights[layer]), (2, biases[layer])):
            tensor = tree.subgraphs[0].tensors[operator.inputs[position]]
            codes, grid = tensor_data(tree, tensor), tensor_scale(tensor)
            assert codes is not None and grid is not None
            for channel, scale in enumerate(grid[0]):
                place = (Ellipsis, channel) if operator.kind == "DEPTHWISE_CONV_2D" else (channel,)
                np.testing.assert_allclose(found[place], codes[place] * scale, rtol=1e-6)
    assert set(weight_formats(model).values()) <= {(8, n) for n in range(1, 256)}


def test_biases_in_the_file_are_at_the_sums_scale() -> None:
    model = int8_net()
    tree = parse_model(model)
    for operator, bias in zip(operators(tree), read_biases(model).values(), strict=True):
        x, w, _ = (tensor_scale(tree.subgraphs[0].tensors[index]) for index in operator.inputs)
        assert x is not None and w is not None
        codes = tensor_data(tree, tree.subgraphs[0].tensors[operator.inputs[2]])
        np.testing.assert_allclose(bias, codes * x[0] * w[0], rtol=1e-5)


def test_float_weights_are_read_as_they_are(float_model: bytes) -> None:
    tree = parse_model(float_model)
    tensors = [tree.subgraphs[0].tensors[each.inputs[1]] for each in operators(tree) if each.kind in WEIGHTED]
    found = read_weights(float_model)
    assert list(found) == [tensor_name(tensor).removesuffix("/weights") for tensor in tensors] and len(found) > 3
    for values, tensor in zip(found.values(), tensors, strict=True):
        np.testing.assert_array_equal(values, tensor_data(tree, tensor))


def test_weights_that_are_put_back_change_nothing(float_model: bytes) -> None:
    segment = voice_calibration().segments[0]
    wanted = trace_values(float_model, segment)
    weights = read_weights(float_model)
    same = trace_values(with_weights(float_model, weights), segment)
    assert all(np.array_equal(wanted[name], same[name]) for name in wanted)
    other = trace_values(with_weights(float_model, {LAYER: 0 * weights[LAYER]}), segment)
    assert np.array_equal(wanted["stem_conv"], other["stem_conv"])
    assert not np.array_equal(wanted["embedding"], other["embedding"])


def test_another_layer_s_or_shape_s_weights_are_passed_over(float_model: bytes) -> None:
    weights = read_weights(float_model)
    unknown = {"no_such_layer": weights[LAYER], LAYER: weights["stem_conv"]}
    found = read_weights(with_weights(float_model, unknown, {LAYER: np.zeros(3, np.float32)}))
    for layer, values in weights.items():
        np.testing.assert_array_equal(found[layer], values)


def test_biases_are_put_in_alike(float_model: bytes) -> None:
    biases = read_biases(float_model)
    moved = read_biases(with_weights(float_model, {}, {LAYER: biases[LAYER] + 1}))
    np.testing.assert_array_equal(moved[LAYER], biases[LAYER] + 1)
    assert all(np.array_equal(moved[layer], biases[layer]) for layer in biases if layer != LAYER)


def test_a_constant_that_two_operators_share_changes_for_one_alone() -> None:
    net = Int8Model((1, 8, 6, 3), seed=1)
    tree = parse_model(net.pack(net.conv(net.conv(net.input, 3), 3)))
    tensors, (first, second) = tree.subgraphs[0].tensors, operators(tree)
    for operator in (first, second):
        tensor = tensors[operator.inputs[1]]
        tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
        tree.buffers[tensor.buffer].data = np.arange(9, dtype=np.float32).view(np.uint8)
    tensors[second.inputs[1]].buffer = tensors[first.inputs[1]].buffer
    one, two = read_weights(pack_model(tree))
    changed = read_weights(with_weights(pack_model(tree), {one: np.full((3, 1, 1, 3), 7, np.float32)}))
    assert (changed[one] == 7).all()
    np.testing.assert_array_equal(changed[two].ravel(), np.arange(9))


@pytest.mark.parametrize("shape", [(8, 3, 3, 4), (1, 3, 3, 8), (8, 5), (1, 3, 3, 1)])
def test_layouts_of_weights_turn_and_turn_back(shape: tuple[int, ...]) -> None:
    weights = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    kernel = as_kernel(weights)
    assert kernel.shape[-1] == max(shape[0], shape[3] if len(shape) == 4 and shape[0] == 1 else 0)
    assert np.array_equal(from_kernel(kernel, weights), weights)


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [((8, 3, 2, 4), (3, 2, 4, 8)), ((1, 3, 2, 8), (3, 2, 1, 8)), ((8, 5), (1, 1, 5, 8)), ((1, 3, 2, 1), (3, 2, 1, 1))],
)
def test_a_kernel_is_height_width_in_out(shape: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    weights = np.zeros(shape, np.float32)
    assert as_kernel(weights).shape == kernel
    assert is_depthwise(weights) == (shape == (1, 3, 2, 8))


def test_int4_weights_are_read(artifact: ModelArtifact) -> None:
    from edge_sv_converters.palettes import _pack_int4

    graph = parse_model(artifact.model)
    (tensor,) = [t for t in graph.subgraphs[0].tensors if tensor_name(t) == "embedding/weights"]
    codes = tensor_data(graph, tensor)
    assert codes is not None
    few = (codes // 16).astype(np.int8)
    graph.buffers[tensor.buffer].data = _pack_int4(few)
    tensor.type = schema.TensorType.INT4
    model = pack_model(graph)
    grid = tensor_scale(tensor)
    assert grid is not None
    scales = grid[0].reshape(-1, *[1] * (few.ndim - 1))
    np.testing.assert_allclose(read_weights(model)["embedding"], few * scales, rtol=1e-6)
    assert weight_formats(model)["embedding"] == (4, len(np.unique(few)))
