"""What a device's program must know of a model: TensorFlow Lite Micro's names of its operators, and its grids."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.tflite.flatbuffer import DECODE, OPERATOR_NAMES, parse_model
from edge_sv.tflite.quantization import TensorFormat
from edge_sv.tflite.tflm_operators import (
    TFLM_OPERATORS,
    convolution_filters,
    resolver_method,
    resolver_methods,
    tensor_formats,
    used_operators,
)
from tests.int8_models import Int8Model

REPOSITORY = Path(__file__).resolve().parents[3]


def _model() -> bytes:
    net = Int8Model((1, 8, 6, 3), seed=1)
    x = net.conv(net.depthwise(net.conv(net.input, 16, (3, 5)), (3, 3)), 24)
    return net.pack(net.reshape(net.mean(x, (1, 2)), (1, 24)))


def test_every_operator_is_one_of_the_interpreter_that_checks_the_builds() -> None:
    tflite_micro = pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    (library,) = Path(tflite_micro.__file__).parent.rglob("_runtime*.so")
    registered = set(re.findall(rb"Register_([A-Z0-9_]+)Ev", library.read_bytes()))
    assert {kind.encode() for kind in TFLM_OPERATORS} <= registered
    known = {name.encode() for name in OPERATOR_NAMES.values()}
    assert registered & known == {kind.encode() for kind in TFLM_OPERATORS}


def test_methods_are_those_of_the_resolver() -> None:
    stub = REPOSITORY / "tests/firmware/tflm_stub/tensorflow/lite/micro/micro_mutable_op_resolver.h"
    declared = set(re.findall(r"TfLiteStatus (Add\w+)\(\)", stub.read_text()))
    assert {resolver_method(kind) for kind in (*TFLM_OPERATORS, DECODE)} == declared


def test_an_operator_without_a_method_is_named() -> None:
    with pytest.raises(DataError, match="operator STABLEHLO_SORT does not exist in TensorFlow Lite Micro"):
        resolver_methods(["CONV_2D", "STABLEHLO_SORT"])


def test_operators_and_filters_are_listed() -> None:
    model = parse_model(_model())
    assert used_operators(model) == ["CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "RESHAPE"]
    assert resolver_methods(used_operators(model)) == ["AddConv2D", "AddDepthwiseConv2D", "AddMean", "AddReshape"]
    assert convolution_filters(model) == [(16, 3, 5, 3), (24, 1, 1, 16)]


def test_grids_are_those_that_an_interpreter_reads(tiny_artifact: ModelArtifact) -> None:
    first, last = tensor_formats(parse_model(tiny_artifact.model))
    interpreter = LiteRTInterpreter(tiny_artifact.model)
    read = [TensorFormat.from_details(details) for details in (*interpreter.inputs, *interpreter.outputs)]
    assert [first, last] == read
    assert (first.shape, last.shape) == ((1, 50, 16, 1), (1, 24)) and first.scale != last.scale


def _set(tensor: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(tensor if name == "type" else tensor.quantization, name, value)


@pytest.mark.parametrize("end", ["inputs", "outputs"])
@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda graph, ends: ends.append(0), "2 {end}"),
        (lambda graph, ends: _set(graph.tensors[ends[0]], scale=np.ones(2, np.float32)), "int8 with 2 scales"),
        (lambda graph, ends: _set(graph.tensors[ends[0]], scale=[]), "int8 with 0 scales"),
        (lambda graph, ends: _set(graph.tensors[ends[0]], type=schema.TensorType.INT16), "int16 with 1 scales"),
    ],
    ids=["two tensors", "a scale for each channel", "no scale", "16 bits"],
)
def test_other_ends_are_refused(change: Callable[[Any, list[int]], None], got: str, end: str) -> None:
    model = parse_model(_model())
    ends = list(getattr(model.subgraphs[0], end))
    change(model.subgraphs[0], ends)
    setattr(model.subgraphs[0], end, ends)
    with pytest.raises(DataError, match="must be int8 tensors with one scale") as caught:
        tensor_formats(model)
    assert got.format(end=end) in caught.value.details["got"]
