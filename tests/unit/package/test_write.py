"""Writing packages: the same inputs give the same bytes, and what cannot be written is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import TflmEmbedder
from edge_sv.errors import DataError
from edge_sv.frontend.features import compute_features
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from tests.unit.package.conftest import TARGETS, files_in

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", TARGETS)
def test_same_inputs_same_bytes(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, tmp_path: Path, name: str
) -> None:
    first = packages[name]
    again = write_package(tiny_artifact, load_target(name), tmp_path / "again", check=first.manifest.check)
    assert [p.relative_to(first.path) for p in files_in(first.path)] == [
        p.relative_to(again.path) for p in files_in(again.path)
    ]
    for one, other in zip(files_in(first.path), files_in(again.path), strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.parametrize("name", TARGETS)
def test_golden_vectors_are_what_the_model_computes(packages: dict[str, DevicePackage], name: str) -> None:
    package = packages[name]
    assert package.manifest.golden[0].name == "buzz"
    for vector in package.manifest.golden:
        folder = package.path / "golden" / vector.name
        arrays = {n: np.load(folder / f"{n}.npy") for n in ("features", "input", "output", "embedding")}
        pcm, rate = soundfile.read(folder / "pcm.wav", dtype="int16")
        assert rate == 16000
        np.testing.assert_array_equal(arrays["features"], compute_features(pcm, package.artifact.features))
        embedder = TflmEmbedder(package.artifact)
        segments = package.artifact.segments.cut(arrays["features"])
        np.testing.assert_array_equal(arrays["input"], embedder.input.quantize(segments))
        np.testing.assert_array_equal(arrays["output"], [embedder.invoke(segment) for segment in arrays["input"]])
        np.testing.assert_allclose(arrays["embedding"], embedder.embed(pcm), atol=1e-6)
        assert (folder / "input.bin").read_bytes() == arrays["input"].tobytes()
        assert (folder / "output.bin").read_bytes() == arrays["output"].tobytes()
        assert len(arrays["input"]) == vector.num_segments >= 2


def test_unwritable_place(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        write_package(tiny_artifact, load_target("tflite"), tmp_path / "file" / "out")


def test_licences_are_those_of_the_repository(packages: dict[str, DevicePackage]) -> None:
    for package in packages.values():
        assert (package.path / "LICENSES/Apache-2.0.txt").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
        assert (package.path / "LICENSES/NOTICE.txt").read_bytes() == (REPOSITORY / "NOTICE").read_bytes()
