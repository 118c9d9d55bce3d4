"""The float net in Keras."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.net import net_sha256
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import KerasEmbedder, LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, ToolMissing
from edge_sv.frontend.features import compute_features
from edge_sv.frontend.segments import normalize_length
from edge_sv.system.array_types import Int16
from tests.nets import voices


@pytest.fixture(scope="module")
def speech() -> Int16:
    return read_recording(voices()[0])


def test_int8_is_close_to_keras(net: Path, artifact: ModelArtifact, speech: Int16) -> None:
    wanted = KerasEmbedder(net).embed(speech)
    for embedder in (LiteRTEmbedder(artifact), TflmEmbedder(artifact)):
        assert float(embedder.embed(speech) @ wanted) > 0.99


def test_segments_run_together_and_are_averaged(net: Path, speech: Int16) -> None:
    embedder = KerasEmbedder(net)
    segments = embedder.segments.cut(compute_features(speech, embedder.features))
    assert len(segments) > 2
    outputs = embedder.run(segments)
    np.testing.assert_allclose(outputs[1:2], embedder.run(segments[1:2]), atol=1e-5)
    wanted = normalize_length(normalize_length(outputs).mean(axis=0))
    np.testing.assert_allclose(embedder.embed(speech), wanted, atol=1e-6)
    assert embedder.model_sha256 == net_sha256(net)


def test_without_tensorflow_it_says_what_to_install(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "edge_sv.models.checkpoint", raising=False)
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ToolMissing, match="TensorFlow is not usable here") as caught:
        KerasEmbedder(net)
    assert "edge-sv[train]" in str(caught.value)


def test_a_folder_without_a_net_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        KerasEmbedder(tmp_path)
