"""TensorFlow Lite Micro's interpreter: what it refuses, and how many inputs and outputs there are."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import ToolMissing
from edge_sv.runtimes.tflm import TflmInterpreter, import_tflm


def test_missing_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(ToolMissing, match=r"pip install 'edge-sv\[micro\]'"):
        import_tflm()


def test_too_small_an_arena_is_refused(tiny_artifact: ModelArtifact) -> None:
    with pytest.raises(RuntimeError):
        TflmInterpreter(tiny_artifact.model, arena_bytes=1024)


def test_nothing_is_written_to_stderr(tiny_artifact: ModelArtifact, capfd: pytest.CaptureFixture[str]) -> None:
    interpreter = TflmInterpreter(tiny_artifact.model)
    interpreter.run(np.zeros(interpreter.inputs[0]["shape"], np.int8))
    assert capfd.readouterr() == ("", "")


def test_it_runs_on_inputs_as_they_are(tiny_artifact: ModelArtifact) -> None:
    interpreter = TflmInterpreter(tiny_artifact.model)
    interpreter.invoke()
    assert len(interpreter.inputs) == len(interpreter.outputs) == 1
