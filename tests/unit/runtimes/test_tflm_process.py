"""TensorFlow Lite Micro in a process of its own gives what it gives in this one, and a crash is an error."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError, ToolMissing
from edge_sv.runtimes.layer_trace import trace_tflm
from edge_sv.runtimes.tflm import TflmInterpreter
from edge_sv.runtimes.tflm_process import run_isolated, trace_isolated
from edge_sv.tflite.flatbuffer import operators, parse_model, tensor_name

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")


@pytest.fixture
def segments(tiny_artifact: ModelArtifact) -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    return [rng.integers(-128, 128, (1, 50, 16, 1)).astype(np.int8) for _ in range(3)]


def test_runs_are_those_of_this_process(tiny_artifact: ModelArtifact, segments: list[np.ndarray]) -> None:
    here = TflmInterpreter(tiny_artifact.model)
    got = run_isolated(tiny_artifact.model, [[segment] for segment in segments])
    assert len(got) == 3
    for (output,), segment in zip(got, segments, strict=True):
        np.testing.assert_array_equal(output, here.run(segment)[0])


def test_tensors_come_by_number(tiny_artifact: ModelArtifact, segments: list[np.ndarray]) -> None:
    graph = parse_model(tiny_artifact.model)
    indices = [int(i) for operator in operators(graph) for i in operator.outputs]
    got = trace_isolated(tiny_artifact.model, [segments[0]], indices)
    wanted = trace_tflm(tiny_artifact.model, segments[0])
    assert sorted(got) == sorted(indices)
    for index, values in got.items():
        name = tensor_name(graph.subgraphs[0].tensors[index])
        np.testing.assert_array_equal(values.ravel(), wanted[name].ravel())


@pytest.mark.parametrize("data", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_what_does_not_run_is_an_error(data: bytes) -> None:
    with pytest.raises(DataError, match="does not run in TensorFlow Lite Micro"):
        run_isolated(data, [[np.zeros(1, np.int8)]])


def test_a_crash_of_the_child_is_an_error(tiny_artifact: ModelArtifact, segments: list[np.ndarray]) -> None:
    with pytest.raises(DataError, match="does not run in TensorFlow Lite Micro"):
        run_isolated(tiny_artifact.model[:1500], [[segments[0]]])


def test_without_tflite_micro_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(ToolMissing, match="edge-sv\\[micro\\]"):
        run_isolated(b"", [])
