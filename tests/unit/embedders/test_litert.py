"""TensorFlow Lite on phones and computers."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import LiteRTEmbedder, TfliteRuntimeEmbedder, open_artifact
from edge_sv.embedders.litert import has_lookup_tables, refuse_lookup_tables
from edge_sv.errors import DataError, UsageError
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.system.array_types import Int16
from edge_sv.system.bundled import assets_dir
from tests.nets import voices


@pytest.fixture(scope="module")
def speech() -> Int16:
    return read_recording(voices()[0])


def test_threads_change_nothing(tiny_artifact: ModelArtifact, speech: Int16) -> None:
    one, two = (LiteRTEmbedder(tiny_artifact, threads=threads).embed(speech) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_tflite_runtime_has_the_same_interface(
    tiny_artifact: ModelArtifact, speech: Int16, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteRT stands in for it: it is tflite-runtime's successor."""
    import ai_edge_litert.interpreter as real

    wanted = LiteRTEmbedder(tiny_artifact)
    monkeypatch.setitem(sys.modules, "tflite_runtime", real)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", real)
    embedder = TfliteRuntimeEmbedder(tiny_artifact)
    np.testing.assert_array_equal(embedder.embed(speech), wanted.embed(speech))
    assert embedder.sources_sha256 != wanted.sources_sha256


def test_kernels_have_an_identity_each(tiny_artifact: ModelArtifact) -> None:
    plain, again = LiteRTEmbedder(tiny_artifact), LiteRTEmbedder(tiny_artifact, threads=2)
    assert plain.sources_sha256 == again.sources_sha256
    assert LiteRTEmbedder(tiny_artifact, reference_kernels=True).sources_sha256 != plain.sources_sha256


def test_a_model_with_lookup_tables_is_refused_with_the_way_out() -> None:
    artifact = open_artifact("resnet-nano")
    assert not has_lookup_tables(artifact)
    refuse_lookup_tables(artifact, "LiteRT")
    packed = open_artifact(assets_dir() / "resnet-nano" / "palette_w4_ai8")
    lookup = compress_tables(packed.model)
    assert lookup is not None
    compact = dataclasses.replace(packed, model=lookup.model)
    assert has_lookup_tables(compact)
    with pytest.raises(UsageError, match="its weights are lookup tables") as caught:
        LiteRTEmbedder(compact)
    assert "--runtime tflm" in str(caught.value)


@pytest.mark.parametrize("model", [b"", b"no model at all", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_a_model_that_does_not_load_is_bad_data(tiny_artifact: ModelArtifact, model: bytes) -> None:
    with pytest.raises(DataError, match="LiteRT cannot load model 'tiny'") as caught:
        LiteRTEmbedder(dataclasses.replace(tiny_artifact, model=model))
    assert caught.value.details["got"]
