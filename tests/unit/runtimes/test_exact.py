"""What a device computes is there with TensorFlow Lite Micro and without."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import ToolMissing
from edge_sv.runtimes.exact import exact_interpreter
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.runtimes.tflm import TflmInterpreter


def test_the_bits_are_the_same_with_and_without_tflite_micro(
    tiny_artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    with_it = exact_interpreter(tiny_artifact.model)
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    without = exact_interpreter(tiny_artifact.model)
    assert isinstance(with_it, TflmInterpreter) and isinstance(without, LiteRTInterpreter)
    rng = np.random.default_rng(8)
    for _ in range(10):
        segment = rng.integers(-128, 128, (1, 50, 16, 1)).astype(np.int8)
        np.testing.assert_array_equal(with_it.run(segment)[0], without.run(segment)[0])


def test_without_either_it_is_a_missing_tool(tiny_artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ToolMissing, match="LiteRT is not usable here"):
        exact_interpreter(tiny_artifact.model)
