"""Golden vectors: made from a seed, whole from sound to embedding, the same bytes each time."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.frontend.features import compute_features
from edge_sv.package.golden_vectors import FIRST_FEATURES, GoldenVector, buzz, make_vectors
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats


@pytest.fixture(scope="module")
def vectors(tiny_artifact: ModelArtifact) -> list[GoldenVector]:
    return make(tiny_artifact)


def make(artifact: ModelArtifact) -> list[GoldenVector]:
    net = LiteRTInterpreter(artifact.model, reference_kernels=True)
    return make_vectors(artifact, tensor_formats(parse_model(artifact.model)), net)


def test_they_are_a_buzz_and_a_voice_of_two_segments(vectors: list[GoldenVector], tiny_artifact: ModelArtifact) -> None:
    assert [vector.name for vector in vectors] == ["buzz", "voice"]
    features, rule = tiny_artifact.features, tiny_artifact.segments
    for vector in vectors:
        assert vector.features.shape == (rule.frames + rule.hop_frames, features.num_mels)
        assert vector.num_segments == 2 and vector.input.shape == (2, rule.frames, features.num_mels)
        assert vector.output.shape == (2, tiny_artifact.embedding_dim) and vector.output.any()
        assert np.linalg.norm(vector.embedding) == pytest.approx(1, abs=1e-6)


def test_each_stage_follows_from_the_one_before(vectors: list[GoldenVector], tiny_artifact: ModelArtifact) -> None:
    given, _ = tensor_formats(parse_model(tiny_artifact.model))
    net = LiteRTInterpreter(tiny_artifact.model, reference_kernels=True)
    for vector in vectors:
        np.testing.assert_array_equal(vector.features, compute_features(vector.pcm, tiny_artifact.features))
        np.testing.assert_array_equal(vector.input[0], given.quantize(vector.features[: len(vector.input[0])]))
        np.testing.assert_array_equal(vector.output[1], net.run(vector.input[1])[0].ravel())
        np.testing.assert_array_equal(vector.first_features, vector.features.ravel()[:FIRST_FEATURES])


def test_same_model_same_bytes(vectors: list[GoldenVector], tiny_artifact: ModelArtifact) -> None:
    assert [vector.files() for vector in make(tiny_artifact)] == [vector.files() for vector in vectors]


def test_files_hold_the_arrays(vectors: list[GoldenVector]) -> None:
    for vector in vectors:
        files = vector.files()
        for name in ("features", "input", "output", "embedding"):
            np.testing.assert_array_equal(np.load(io.BytesIO(files[f"{name}.npy"])), getattr(vector, name))
        assert files["input.bin"] == vector.input.tobytes() and files["output.bin"] == vector.output.tobytes()
        with wave.open(io.BytesIO(files["pcm.wav"])) as sound:
            assert sound.getparams()[:4] == (1, 2, vector.sample_rate, len(vector.pcm))
            assert sound.readframes(len(vector.pcm)) == vector.pcm.astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_buzz_is_loud_without_clipping_and_below_nyquist(rate: int) -> None:
    pcm = buzz(2 * rate, rate)
    assert pcm.dtype == np.int16 and np.abs(pcm.astype(int)).max() == 8000
    np.testing.assert_array_equal(pcm, buzz(2 * rate, rate))
    power = np.abs(np.fft.rfft(pcm)) ** 2
    assert power[int(0.95 * len(power)) :].sum() < 0.01 * power.sum()
