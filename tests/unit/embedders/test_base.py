"""What all int8 embedders share: the net of a description, segments in, one embedding out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import IntegerEmbedder, LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import compute_features
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.package.golden_vectors import make_vectors
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.system.array_types import Int16
from tests.nets import voices


@pytest.fixture(scope="module")
def speech() -> Int16:
    return read_recording(voices()[0])


@pytest.mark.parametrize("make", [LiteRTEmbedder, TflmEmbedder])
def test_embeds_recordings_of_any_length(
    tiny_artifact: ModelArtifact, speech: Int16, make: type[IntegerEmbedder]
) -> None:
    embedder = make(tiny_artifact)
    for samples in (2000, 8000, len(speech)):
        embedding = embedder.embed(speech[:samples])
        assert embedding.shape == (tiny_artifact.embedding_dim,) and embedding.dtype == np.float32
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)


def test_embedding_is_the_mean_of_unit_segments(tiny_artifact: ModelArtifact, speech: Int16) -> None:
    embedder = LiteRTEmbedder(tiny_artifact)
    segments = tiny_artifact.segments.cut(compute_features(speech, tiny_artifact.features))
    by_hand = normalize_length(normalize_length(embedder.run(segments)).mean(axis=0))
    np.testing.assert_allclose(embedder.embed(speech), by_hand, atol=1e-6)


def test_a_description_that_does_not_fit_is_refused(tiny_artifact: ModelArtifact) -> None:
    for changes in ({"segments": SegmentRule(51, 25)}, {"embedding_dim": 23}):
        wrong = dataclasses.replace(tiny_artifact, **changes)
        for make in (LiteRTEmbedder, TflmEmbedder):
            with pytest.raises(DataError, match="does not fit its description"):
                make(wrong)


def test_segments_run_together_as_one_by_one(tiny_artifact: ModelArtifact, speech: Int16) -> None:
    embedder = TflmEmbedder(tiny_artifact)
    segments = tiny_artifact.segments.cut(compute_features(speech, tiny_artifact.features))
    one_by_one = [embedder.output.dequantize(embedder.invoke(embedder.input.quantize(s))) for s in segments]
    np.testing.assert_array_equal(embedder.run(segments), one_by_one)


def test_golden_vectors_hold_what_the_embedder_computes(tiny_artifact: ModelArtifact) -> None:
    embedder = LiteRTEmbedder(tiny_artifact, reference_kernels=True)
    net = LiteRTInterpreter(tiny_artifact.model, reference_kernels=True)
    for vector in make_vectors(tiny_artifact, (embedder.input, embedder.output), net):
        np.testing.assert_array_equal(vector.embedding, embedder.embed(vector.pcm))


@pytest.mark.parametrize("pcm", [np.zeros(32000, np.float32), np.zeros((32000, 1), np.int16)])
def test_what_is_no_int16_recording_is_refused(tiny_artifact: ModelArtifact, pcm: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"takes \(num_samples,\) int16"):
        LiteRTEmbedder(tiny_artifact).embed(pcm)
