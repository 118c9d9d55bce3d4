"""TensorFlow Lite Micro on this computer: the bits that microcontrollers compute."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, ToolMissing

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")


def test_tflm_equals_the_reference_kernels(tiny_artifact: ModelArtifact) -> None:
    reference, device = LiteRTEmbedder(tiny_artifact, reference_kernels=True), TflmEmbedder(tiny_artifact)
    rng = np.random.default_rng(7)
    for _ in range(20):
        segment = rng.integers(-128, 128, (50, 16)).astype(np.int8)
        np.testing.assert_array_equal(reference.invoke(segment), device.invoke(segment))


def test_tflm_missing_says_how_to_get_it(tiny_artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(ToolMissing, match=r"pip install 'edge-sv\[micro\]'"):
        TflmEmbedder(tiny_artifact)


def test_an_arena_that_is_too_small_is_said_in_its_own_words(tiny_artifact: ModelArtifact) -> None:
    with pytest.raises(DataError, match="TensorFlow Lite Micro cannot load model 'tiny'") as caught:
        TflmEmbedder(tiny_artifact, arena_bytes=2048)
    assert "Failed to" in caught.value.details["got"] or "arena" in caught.value.details["got"].lower()


@pytest.mark.parametrize("model", [b"", b"no model at all", bytes(range(200)), b"\xff" * 64])
def test_what_is_no_model_is_bad_data(tiny_artifact: ModelArtifact, model: bytes) -> None:
    with pytest.raises(DataError, match="cannot load model"):
        TflmEmbedder(dataclasses.replace(tiny_artifact, model=model))
