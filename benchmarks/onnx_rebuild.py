"""Rebuild a float .tflite of this project as an ONNX net of the same operators and weights.

Knows the operators that the net families become. ONNX keeps (batch, channels, time, bands) where TFLite has
(batch, time, bands, channels); a reshape, whose result depends on that order, gets a transposition on both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_sv.tflite.flatbuffer import Operator, operators, parse_model, tensor_data, tensor_name, tensor_shape

NCHW, NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
AXIS = {0: 0, 1: 2, 2: 3, 3: 1}
"""Axis in TFLite's order -> axis in ONNX's."""
SIMPLE = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "RELU": "Relu"}
RELU = 1


class OnnxRebuild:
    """Collects the nodes of one net."""

    def __init__(self, tflite: bytes) -> None:
        self.graph = parse_model(tflite)
        self.subgraph = self.graph.subgraphs[0]
        self.tensors = self.subgraph.tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def model(self) -> bytes:
        """Return the ONNX file: input `features` (1, 1, frames, num_mels), output (1, embedding_dim)."""
        for operator, raw in zip(operators(self.graph), self.subgraph.operators, strict=True):
            self._convert(operator, raw.builtinOptions)
        first, last = self.subgraph.inputs[0], self.subgraph.outputs[0]
        shape = [tensor_shape(self.tensors[first])[i] for i in NCHW]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(self._name(first), TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(self._name(last), TensorProto.FLOAT, tensor_shape(self.tensors[last]))],
            list(self.constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _convert(self, operator: Operator, options: Any) -> None:
        inputs, output = list(operator.inputs), operator.outputs[0]
        fused = getattr(options, "fusedActivationFunction", 0) == RELU
        to = f"{self._name(output)}/linear" if fused else self._name(output)
        if operator.kind in SIMPLE:
            self._node(SIMPLE[operator.kind], [self._value(i) for i in inputs], to)
        elif operator.kind == "CONV_2D":
            self._conv(inputs, output, to, options)
        elif operator.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            kind = {"A": "AveragePool", "M": "MaxPool"}[operator.kind[0]]
            window = (options.filterHeight, options.filterWidth)
            geometry = self._geometry(inputs[0], output, window, options)
            node = helper.make_node(kind, [self._value(inputs[0])], [to], kernel_shape=window, **geometry)
            self.nodes.append(node)
        elif operator.kind == "MEAN":
            axes = [AXIS[int(a) % 4] for a in np.atleast_1d(self._data(inputs[1]))]
            node = helper.make_node("ReduceMean", [self._value(inputs[0])], [to], axes=axes, keepdims=1)
            self.nodes.append(node)
        elif operator.kind == "RSQRT":
            self._node("Sqrt", [self._value(inputs[0])], f"{to}/sqrt")
            self._node("Reciprocal", [f"{to}/sqrt"], to)
        elif operator.kind == "CONCATENATION":
            axis = AXIS[options.axis % 4]
            self.nodes.append(helper.make_node("Concat", [self._value(i) for i in inputs], [to], axis=axis))
        elif operator.kind == "STRIDED_SLICE":
            self._slice(inputs, output, to, options)
        elif operator.kind == "RESHAPE":
            self._reshape(inputs[0], output, to)
        else:
            raise NotImplementedError(operator.kind)
        if fused:
            self._node("Relu", [to], self._name(output))

    def _conv(self, inputs: list[int], output: int, to: str, options: Any) -> None:
        weights = self._constant(f"{to}/w", self._data(inputs[1]).transpose(0, 3, 1, 2))
        names = [self._value(inputs[0]), weights]
        if len(inputs) > 2 and inputs[2] >= 0:
            names.append(self._constant(f"{to}/b", self._data(inputs[2])))
        dilations = [options.dilationHFactor, options.dilationWFactor]
        height, width = (
            (size - 1) * dilation + 1
            for size, dilation in zip(self._data(inputs[1]).shape[1:3], dilations, strict=True)
        )
        geometry = self._geometry(inputs[0], output, (height, width), options)
        self.nodes.append(helper.make_node("Conv", names, [to], dilations=dilations, **geometry))

    def _slice(self, inputs: list[int], output: int, to: str, options: Any) -> None:
        shape, target = tensor_shape(self.tensors[inputs[0]]), tensor_shape(self.tensors[output])
        begin = [0 if options.beginMask >> i & 1 else int(b) for i, b in enumerate(self._data(inputs[1]))]
        axes = [i for i in range(len(shape)) if target[i] != shape[i]]
        bounds = [[begin[i] for i in axes], [begin[i] + target[i] for i in axes], [AXIS[i] for i in axes]]
        names = [self._constant(f"{to}/{i}", np.array(values, np.int64)) for i, values in enumerate(bounds)]
        self._node("Slice", [self._value(inputs[0]), *names], to)

    def _reshape(self, source: int, output: int, to: str) -> None:
        shape = tensor_shape(self.tensors[output])
        self.nodes.append(helper.make_node("Transpose", [self._value(source)], [f"{to}/nhwc"], perm=NHWC))
        target = self._constant(f"{to}/shape", np.array(shape, np.int64))
        self._node("Reshape", [f"{to}/nhwc", target], f"{to}/reshaped" if len(shape) == 4 else to)
        if len(shape) == 4:
            self.nodes.append(helper.make_node("Transpose", [f"{to}/reshaped"], [to], perm=NCHW))

    def _value(self, index: int) -> str:
        """Name a tensor; a constant of four axes is brought into ONNX's order."""
        data = tensor_data(self.graph, self.tensors[index])
        if data is None:
            return self._name(index)
        ordered = data.transpose(NCHW) if data.ndim == 4 else data
        return self._constant(self._name(index), ordered)

    def _name(self, index: int) -> str:
        return tensor_name(self.tensors[index])

    def _data(self, index: int) -> Any:
        return tensor_data(self.graph, self.tensors[index])

    def _node(self, kind: str, inputs: list[str], output: str) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output]))

    def _constant(self, name: str, values: Any) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def _geometry(self, source: int, output: int, window: tuple[int, int], options: Any) -> dict[str, Any]:
        """Strides and explicit pads: onnxruntime does not pad dilated convolutions by itself."""
        strides = [options.strideH, options.strideW]
        shapes = zip(tensor_shape(self.tensors[source])[1:3], tensor_shape(self.tensors[output])[1:3], strict=True)
        missing = [
            max(0, (after - 1) * stride + reach - before)
            for (before, after), stride, reach in zip(shapes, strides, window, strict=True)
        ]
        return {"strides": strides, "pads": [*(n // 2 for n in missing), *(n - n // 2 for n in missing)]}
