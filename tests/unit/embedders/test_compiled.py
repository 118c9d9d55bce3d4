"""Generated C on this computer: each segment as TensorFlow Lite Micro, recordings as the device."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import TflmEmbedder
from edge_sv.embedders.compiled import CompiledEmbedder, compile_package, package_sources
from edge_sv.errors import DataError, UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.golden_vectors import buzz
from edge_sv.package.target import load_target
from edge_sv.system.bundled import assets_dir

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libraries")


@pytest.fixture(scope="module")
def speaker_package(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(tiny_artifact, load_target("cortex-m"), tmp_path_factory.mktemp("speaker") / "package")


@pytest.fixture(scope="module")
def embedder(speaker_package: DevicePackage, libraries: Path) -> CompiledEmbedder:
    return compile_package(speaker_package, cache=libraries)


def test_segments_are_embedded_as_in_tflm(embedder: CompiledEmbedder, tiny_artifact: ModelArtifact) -> None:
    reference = TflmEmbedder(tiny_artifact)
    for seed in range(4):
        shape = (tiny_artifact.segments.frames, tiny_artifact.features.num_mels)
        segment = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
        np.testing.assert_array_equal(embedder.invoke(segment), reference.invoke(segment))


@pytest.mark.parametrize("num_samples", [9_000, 16_000, 40_123])
def test_recordings_are_embedded_as_on_the_desktop(
    embedder: CompiledEmbedder, tiny_artifact: ModelArtifact, num_samples: int
) -> None:
    pcm = buzz(num_samples, 16000)
    got = embedder.embed(pcm)
    assert np.linalg.norm(got) == pytest.approx(1, abs=1e-5)
    assert float(got @ TflmEmbedder(tiny_artifact).embed(pcm)) > 0.99
    np.testing.assert_array_equal(embedder.embed(pcm), got)


def test_a_recording_without_a_frame_is_refused(embedder: CompiledEmbedder) -> None:
    with pytest.raises(DataError, match="the device answers"):
        embedder.embed(np.zeros(10, np.int16))


def test_frames_of_another_size_are_refused(embedder: CompiledEmbedder) -> None:
    with pytest.raises(DataError, match=r"input 0 is \(1, 50, 16, 1\) int8"):
        embedder.invoke(np.zeros((50, 3), np.int8))


def test_sources_of_another_model_are_refused(
    speaker_package: DevicePackage, tiny_artifact: ModelArtifact, libraries: Path
) -> None:
    other = dataclasses.replace(
        tiny_artifact, model=(assets_dir() / "resnet-nano/static_wi8_ai8/model.tflite").read_bytes()
    )
    with pytest.raises(DataError, match="not of model"):
        CompiledEmbedder(other, package_sources(speaker_package), cache=libraries)


def test_floats_are_refused_rather_than_cut_to_silence(embedder: CompiledEmbedder) -> None:
    with pytest.raises(UsageError, match=r"takes \(num_samples,\) int16"):
        embedder.embed(np.zeros(32000, np.float32))  # type: ignore[arg-type]


def test_a_package_without_generated_code_is_refused(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    package = write_package(tiny_artifact, load_target("tflite"), tmp_path / "package")
    with pytest.raises(DataError, match="holds no generated code"):
        compile_package(package)


def test_other_sources_have_another_identity(
    embedder: CompiledEmbedder, speaker_package: DevicePackage, tiny_artifact: ModelArtifact, libraries: Path
) -> None:
    files = package_sources(speaker_package)
    assert CompiledEmbedder(tiny_artifact, files, cache=libraries).sources_sha256 == embedder.sources_sha256
    files["src/more.c"] = b"int more(void) { return 1; }\n"
    assert CompiledEmbedder(tiny_artifact, files, cache=libraries).sources_sha256 != embedder.sources_sha256
