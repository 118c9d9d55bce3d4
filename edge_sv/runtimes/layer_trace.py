"""Look inside converted models: which layer computes something else, which layer loses most.

Both ask an interpreter for every tensor of one run. Tensors are compared by name; operators in the order they run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.runtimes.interpreter import TracingInterpreter
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.runtimes.tflm import TflmInterpreter
from edge_sv.system.array_types import Float32, Int8
from edge_sv.tflite.flatbuffer import Operator, operators, parse_model, tensor_bits, tensor_name, tensor_scale

Tensors = Mapping[str, npt.NDArray[Any]]

_NOISELESS_DB = 120.0
"""Largest signal-to-noise ratio that is stated."""


@dataclass(frozen=True)
class LayerDifference:
    """The first layer whose output is not the same in two runtimes."""

    layer: str
    kind: str
    different: int
    values: int
    largest: int

    def __str__(self) -> str:
        return f"{self.different} of {self.values} values differ, by up to {self.largest} steps"


@dataclass(frozen=True)
class LayerLoss:
    """What int8 costs at one layer: signal to quantization noise in dB, before and after.

    The ratio counted at a tensor is the best that it or anything computed from it has. So a layer is not blamed for
    noise that later layers are insensitive to (a reciprocal's small values, say), only for what stays lost.
    """

    layer: str
    kind: str
    input_db: float
    output_db: float

    @property
    def lost_db(self) -> float:
        """How much is lost in this layer."""
        return self.input_db - self.output_db

    def __str__(self) -> str:
        return f"signal to quantization noise falls from {self.input_db:.1f} dB to {self.output_db:.1f} dB"


def first_difference(reference_model: bytes, device_model: bytes, segment: Int8) -> LayerDifference | None:
    """Run one segment through LiteRT's reference kernels and through TensorFlow Lite Micro, layer by layer.

    Args:
        reference_model: a .tflite file.
        device_model: the same graph as the device has it; usually the same file.
        segment: (frames, num_mels) int8.

    Returns:
        The first operator whose output differs, None when all are equal.
    """
    return compare_traces(reference_model, trace_reference(reference_model, segment), trace_tflm(device_model, segment))


def compare_traces(model: bytes, expected: Tensors, got: Tensors) -> LayerDifference | None:
    """Find the first operator of a model whose output differs between two traces, None when all are equal."""
    graph = parse_model(model)
    for operator in operators(graph):
        name = _output_name(graph, operator)
        a, b = expected[name].astype(np.int64).ravel(), got[name].astype(np.int64).ravel()
        if not np.array_equal(a, b):
            gap = np.abs(a - b)
            return LayerDifference(name, operator.kind, int((gap > 0).sum()), gap.size, int(gap.max()))
    return None


def layer_losses(model: bytes, float_model: bytes, segments: Sequence[Float32]) -> list[LayerLoss]:
    """Compare every layer of an int8 model with its float twin, in the order they run.

    Args:
        model: the int8 .tflite.
        float_model: the same net converted without quantization; layers that only one of the two has are passed over.
        segments: (frames, num_mels) normalized features each.
    """
    traces = ((trace_values(float_model, segment), trace_values(model, segment)) for segment in segments)
    return attribute_loss(model, signal_to_noise(traces))


def attribute_loss(model: bytes, ratios: Mapping[str, float]) -> list[LayerLoss]:
    """Tell what each layer loses from the signal-to-noise ratio of every tensor; see `LayerLoss`.

    Args:
        model: the .tflite.
        ratios: tensor name -> dB; layers whose output or inputs are not among them are passed over.
    """
    graph = parse_model(model)
    names = [tensor_name(tensor) for tensor in graph.subgraphs[0].tensors]
    best = dict(ratios)
    losses: list[LayerLoss] = []
    for operator in reversed(operators(graph)):
        output = names[operator.outputs[0]]
        inputs = [names[i] for i in operator.inputs if i >= 0 and names[i] in best]
        if output not in best or not inputs:
            continue
        best |= {name: max(best[name], best[output]) for name in inputs}
        losses.append(LayerLoss(output, operator.kind, min(best[name] for name in inputs), best[output]))
    return losses[::-1]


def signal_to_noise(traces: Iterable[tuple[Tensors, Tensors]]) -> dict[str, float]:
    """Compute 10 log10(sum of wanted^2 / sum of (got - wanted)^2), over all traces, of each tensor that both have.

    Args:
        traces: (wanted, got) of one run each, as `trace_values` gives them.
    """
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for wanted, got in traces:
        for name in (name for name in wanted if name in got and got[name].shape == wanted[name].shape):
            signal[name] = signal.get(name, 0.0) + float(np.square(wanted[name]).sum())
            noise[name] = noise.get(name, 0.0) + float(np.square(got[name] - wanted[name]).sum())
    return {name: decibel(signal[name], noise[name]) for name in signal}


def trace_values(model: bytes, segment: Float32) -> dict[str, npt.NDArray[np.float64]]:
    """Run LiteRT's reference kernels on (frames, num_mels) features; return what every computed tensor stands for.

    Integer tensors without a scale (shapes, say) are left out.
    """
    graph = parse_model(model)
    tensors = {tensor_name(tensor): tensor for tensor in graph.subgraphs[0].tensors}
    first = graph.subgraphs[0].tensors[graph.subgraphs[0].inputs[0]]
    values = {}
    for name, array in trace_reference(model, _to_grid(segment, first)).items():
        grid = tensor_scale(tensors[name])
        if grid is not None:
            values[name] = grid[0][0] * (array.astype(np.float64) - grid[1][0])
        elif array.dtype.kind == "f":
            values[name] = array.astype(np.float64)
    return values


def trace_reference(model: bytes, segment: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Run LiteRT's reference kernels on (frames, num_mels) and return every computed tensor by name.

    The segment is int8, or float32 for a float model.
    """
    return _trace(LiteRTInterpreter(model, reference_kernels=True, keep_tensors=True), model, segment)


def trace_tflm(model: bytes, segment: Int8) -> dict[str, npt.NDArray[Any]]:
    """Run TensorFlow Lite Micro on (frames, num_mels) int8 and return every computed tensor by name."""
    return _trace(TflmInterpreter(model, keep_tensors=True), model, segment)


def _trace(interpreter: TracingInterpreter, model: bytes, segment: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    interpreter.run(segment)
    return {name: interpreter.tensor(index) for index, name in _computed(parse_model(model))}


def _to_grid(segment: Float32, tensor: Any) -> npt.NDArray[Any]:
    """Round features to the grid of a model's input; a float input takes them as they are."""
    grid = tensor_scale(tensor)
    if grid is None:
        return segment
    limits = np.iinfo(np.int16 if tensor_bits(tensor) == 16 else np.int8)
    steps = np.rint(segment / grid[0][0]) + grid[1][0]
    return np.asarray(np.clip(steps, limits.min, limits.max), limits.dtype)


def decibel(signal: float, noise: float) -> float:
    """Return the ratio of two powers in dB, limited to 120 where there is no noise."""
    if signal == noise == 0.0:
        return _NOISELESS_DB
    limit = 10 ** (_NOISELESS_DB / 10)
    return float(10 * np.log10(np.clip(signal / max(noise, signal / limit), 1 / limit, limit)))


def _computed(graph: Any) -> list[tuple[int, str]]:
    """List the tensors that a run computes: the input and every operator's outputs."""
    indices = [*graph.subgraphs[0].inputs, *(i for operator in operators(graph) for i in operator.outputs)]
    return [(int(i), tensor_name(graph.subgraphs[0].tensors[i])) for i in indices]


def _output_name(graph: Any, operator: Operator) -> str:
    return tensor_name(graph.subgraphs[0].tensors[operator.outputs[0]])
