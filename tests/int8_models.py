"""Small int8 .tflite files with random weights, written operator by operator; and the same net for another length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edge_sv.tflite.flatbuffer import operators, pack_model, parse_model, tensor_data, tensor_shape

NO_ACTIVATION, RELU = 0, 1
SAME, VALID = 0, 1
_OUTPUT_SCALE = 0.05

Pair = tuple[int, int]


class Int8Model:
    """Writes a graph from one input; tensors are named by number.

    Args:
        shape: of the input.
        seed: of weights, scales and zero points.
    """

    def __init__(self, shape: tuple[int, ...], *, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._model = schema.ModelT()
        self._model.version, self._model.subgraphs, self._model.operatorCodes = 3, [self._graph], []
        self._model.buffers = [schema.BufferT()]
        self.input = self._computed(shape, 0.05, int(self._rng.integers(-20, 20)))

    def pack(self, output: int) -> bytes:
        """Return the file."""
        self._graph.inputs, self._graph.outputs = [self.input], [output]
        return pack_model(self._model)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tensor_shape(self._graph.tensors[tensor])

    def conv(
        self,
        x: int,
        channels: int,
        kernel: Pair = (1, 1),
        *,
        stride: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: int = SAME,
        relu: bool = False,
    ) -> int:
        """CONV_2D."""
        _, height, width, depth = self.shape(x)
        options = schema.Conv2DOptionsT()
        _window(options, stride, dilation, padding, relu)
        out = (1, *_image((height, width), kernel, stride, dilation, padding), channels)
        weights = self._weights(x, (channels, *kernel, depth), axis=0)
        return self._weighted("CONV_2D", x, weights, channels, out, options, relu)

    def depthwise(self, x: int, kernel: Pair, *, stride: Pair = (1, 1), padding: int = SAME) -> int:
        """DEPTHWISE_CONV_2D with one filter a channel."""
        _, height, width, depth = self.shape(x)
        options = schema.DepthwiseConv2DOptionsT()
        _window(options, stride, (1, 1), padding, False)
        options.depthMultiplier = 1
        out = (1, *_image((height, width), kernel, stride, (1, 1), padding), depth)
        weights = self._weights(x, (1, *kernel, depth), axis=3)
        return self._weighted("DEPTHWISE_CONV_2D", x, weights, depth, out, options, False)

    def pool(self, x: int, kind: str, size: Pair, *, stride: Pair, padding: int = VALID) -> int:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        _, height, width, depth = self.shape(x)
        options = schema.Pool2DOptionsT()
        options.strideH, options.strideW = stride
        options.filterHeight, options.filterWidth = size
        options.padding, options.fusedActivationFunction = padding, NO_ACTIVATION
        out = (1, *_image((height, width), size, stride, (1, 1), padding), depth)
        return self._add(kind, [x], self._like(x, out), options)

    def join(self, kind: str, a: int, b: int) -> int:
        """ADD, SUB or MUL of two tensors, or of a tensor and a constant."""
        options = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}[kind]()
        options.fusedActivationFunction = RELU if self._rng.integers(2) else NO_ACTIVATION
        scales = self._scale(a), self._scale(b)
        scale = 60 * scales[0] * scales[1] if kind == "MUL" else 1.5 * max(scales)
        output = self._computed(self.shape(a), scale, int(self._rng.integers(-60, 60)))
        return self._add(kind, [a, b], output, options)

    def unary(self, kind: str, x: int) -> int:
        """RELU, LOGISTIC or TANH."""
        grids = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
        scale, zero_point = grids.get(kind, (self._scale(x), int(self._rng.integers(-60, 60))))
        return self._add(kind, [x], self._computed(self.shape(x), scale, zero_point), None)

    def float_island(self, x: int) -> int:
        """DEQUANTIZE, ABS in float32, QUANTIZE."""
        floats = [self._tensor(self.shape(x), schema.TensorType.FLOAT32, 0, (), (), 0) for _ in range(2)]
        self._add("DEQUANTIZE", [x], floats[0], None)
        self._add("ABS", [floats[0]], floats[1], None)
        return self._add("QUANTIZE", [floats[1]], self._computed(self.shape(x), 0.04, -90), None)

    def concatenate(self, a: int, b: int) -> int:
        """CONCATENATION of channels; b is brought to a's grid by a convolution before."""
        b = self.conv(b, 2)
        self._graph.tensors[b].quantization = self._graph.tensors[a].quantization
        *outer, channels = self.shape(a)
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        return self._add("CONCATENATION", [a, b], self._like(a, (*outer, channels + 2)), options)

    def pad(self, x: int, time: Pair, freq: Pair) -> int:
        """PAD before and after."""
        _, rows, width, channels = self.shape(x)
        sides = self._constant(np.array([[0, 0], time, freq, [0, 0]], np.int32))
        output = self._like(x, (1, rows + sum(time), width + sum(freq), channels))
        return self._add("PAD", [x, sides], output, schema.PadOptionsT())

    def constant(self, shape: tuple[int, ...]) -> int:
        """An int8 constant."""
        return self._constant(self._rng.integers(-128, 128, shape).astype(np.int8), [0.03], [5])

    def reshape(self, x: int, shape: tuple[int, ...]) -> int:
        """RESHAPE by a constant."""
        to = self._constant(np.array(shape, np.int32))
        return self._add("RESHAPE", [x, to], self._like(x, shape), schema.ReshapeOptionsT())

    def mean(self, x: int, axes: Sequence[int], *, keep: bool = True) -> int:
        """MEAN over some dimensions."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep
        shape = [1 if i in axes else n for i, n in enumerate(self.shape(x)) if keep or i not in axes]
        axis = self._constant(np.array(axes, np.int32))
        scale = self._scale(x) * self._rng.uniform(0.1, 0.6)
        output = self._computed(tuple(shape), scale, int(self._rng.integers(-60, 60)))
        return self._add("MEAN", [x, axis], output, options)

    def _weighted(
        self, kind: str, x: int, weights: int, channels: int, out: tuple[int, ...], options: Any, relu: bool
    ) -> int:
        scales = np.asarray(self._graph.tensors[weights].quantization.scale) * self._scale(x)
        bias = self._constant(self._rng.integers(-2000, 2000, channels).astype(np.int32), scales, [0] * channels)
        output = self._computed(out, _OUTPUT_SCALE, -128 if relu else int(self._rng.integers(-30, 30)))
        return self._add(kind, [x, weights, bias], output, options)

    def _weights(self, x: int, shape: tuple[int, ...], axis: int) -> int:
        """Random weights, of a scale that spreads the layer's output over its grid."""
        sum_of_products = 74 * 50 * np.sqrt(np.prod(shape) / shape[axis])
        scales = self._rng.uniform(0.5, 1.0, shape[axis]) * 43 * _OUTPUT_SCALE / (self._scale(x) * sum_of_products)
        values = self._rng.integers(-127, 128, shape).astype(np.int8)
        return self._constant(values, scales, [0] * shape[axis], axis=axis)

    def _scale(self, tensor: int) -> float:
        return float(self._graph.tensors[tensor].quantization.scale[0])

    def _like(self, x: int, shape: tuple[int, ...]) -> int:
        return self._computed(shape, self._scale(x), int(self._graph.tensors[x].quantization.zeroPoint[0]))

    def _computed(self, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        return self._tensor(shape, schema.TensorType.INT8, 0, [scale], [zero_point], 0)

    def _constant(
        self,
        values: npt.NDArray[Any],
        scales: Sequence[float] | npt.NDArray[np.float64] = (),
        zero_points: Sequence[int] = (),
        *,
        axis: int = 0,
    ) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        kind = schema.TensorType.INT8 if values.dtype == np.int8 else schema.TensorType.INT32
        return self._tensor(values.shape, kind, len(self._model.buffers) - 1, scales, zero_points, axis)

    def _tensor(
        self, shape: tuple[int, ...], kind: int, buffer: int, scales: Any, zero_points: Sequence[int], axis: int
    ) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), kind, buffer
        tensor.name = f"tensor{len(self._graph.tensors)}"
        if len(scales):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray(scales, np.float32)
            tensor.quantization.zeroPoint = np.asarray(zero_points, np.int64)
            tensor.quantization.quantizedDimension = axis
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _add(self, kind: str, inputs: list[int], output: int, options: Any) -> int:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 3
        self._model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        self._graph.operators.append(operator)
        return output


def with_frames(model: bytes, frames: int) -> bytes:
    """Return the same net for inputs of another length: shapes along time change, weights and grids stay.

    Args:
        model: a .tflite that takes (1, frames, ...) and pools over frames with MEAN.
        frames: the length to make it for.
    """
    tree = parse_model(model)
    tensors = tree.subgraphs[0].tensors
    rows = {int(tree.subgraphs[0].inputs[0]): frames}
    for operator, record in zip(operators(tree), tree.subgraphs[0].operators, strict=True):
        source, output = operator.inputs[0], operator.outputs[0]
        timed = [rows[tensor] for tensor in operator.inputs if tensor in rows]
        if not timed or operator.kind == "MEAN":
            continue
        assert len(set(timed)) == 1, "the operator joins tensors of different lengths"
        rows[output] = timed[0]
        options = record.builtinOptions
        if operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            height = tensors[operator.inputs[1]].shape[1]
            rows[output] = _out(rows[source], height, options.strideH, options.dilationHFactor, options.padding)
        elif operator.kind.endswith("POOL_2D"):
            rows[output] = _out(rows[source], options.filterHeight, options.strideH, 1, options.padding)
        elif operator.kind == "PAD":
            sides = tensor_data(tree, tensors[operator.inputs[1]])
            rows[output] += int(sides[1].sum()) if sides is not None else 0
        elif operator.kind == "RESHAPE":
            shape = [1, rows[output], *tensor_shape(tensors[output])[2:]]
            tree.buffers[tensors[operator.inputs[1]].buffer].data = np.array(shape, np.int32).view(np.uint8)
    for tensor, count in rows.items():
        assert count > 0, "the utterance is too short for this net"
        tensors[tensor].shape = np.array([1, count, *tensor_shape(tensors[tensor])[2:]], np.int32)
    return pack_model(tree)


def _out(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    span = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - span) // stride + 1


def _image(size: Pair, kernel: Pair, stride: Pair, dilation: Pair, padding: int) -> Pair:
    return (
        _out(size[0], kernel[0], stride[0], dilation[0], padding),
        _out(size[1], kernel[1], stride[1], dilation[1], padding),
    )


def _window(options: Any, stride: Pair, dilation: Pair, padding: int, relu: bool) -> None:
    options.strideH, options.strideW = stride
    options.dilationHFactor, options.dilationWFactor = dilation
    options.padding, options.fusedActivationFunction = padding, RELU if relu else NO_ACTIVATION
