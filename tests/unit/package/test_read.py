"""Reading packages: what was written comes back whole; what is damaged is named."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder, open_artifact, open_embedder
from edge_sv.errors import DataError
from edge_sv.package import DevicePackage, read_package
from edge_sv.package.golden_vectors import buzz
from tests.unit.package.conftest import TARGETS, files_in

REPOSITORY = Path(__file__).resolve().parents[3]


def _same(a: ModelArtifact, b: ModelArtifact) -> bool:
    assert a.cohort is not None
    assert b.cohort is not None
    np.testing.assert_array_equal(a.cohort.embeddings, b.cohort.embeddings)
    return dataclasses.replace(a, cohort=None) == dataclasses.replace(b, cohort=None)


@pytest.mark.parametrize("name", TARGETS)
def test_artifact_comes_back_whole(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, name: str) -> None:
    assert _same(packages[name].artifact, tiny_artifact)
    assert _same(open_artifact(packages[name].path), tiny_artifact)


def test_packages_of_the_first_schema_can_be_read(copy_of: Callable[[str], Path], tiny_artifact: ModelArtifact) -> None:
    path = copy_of("tflite-micro") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["schema_version"] = 1
    del manifest["generated"], manifest["sizes"]["state_bytes"]
    path.write_text(json.dumps(manifest))
    assert _same(read_package(path.parent).artifact, tiny_artifact)


def test_bare_tflite_comes_back_whole(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact) -> None:
    assert _same(read_package(packages["tflite"].path / "model.tflite").artifact, tiny_artifact)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("runtime", ["tflite", "tflm"])
def test_embeds_like_the_artifact(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact, name: str, runtime: str
) -> None:
    pcm = buzz(24000, 16000)
    source = LiteRTEmbedder(tiny_artifact) if runtime == "tflite" else TflmEmbedder(tiny_artifact)
    packaged = open_embedder(packages[name].path, runtime=runtime)
    np.testing.assert_array_equal(packaged.embed(pcm), source.embed(pcm))
    assert packaged.model_sha256 == source.model_sha256


@pytest.mark.parametrize("name", TARGETS)
def test_damage_to_any_file_is_named(copy_of: Callable[[str], Path], name: str) -> None:
    folder = copy_of(name)
    for path in files_in(folder):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        if path.name == "manifest.json":
            path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=re.escape(path.name)):
            read_package(folder)
        path.unlink()
        with pytest.raises(DataError, match=re.escape(path.name)):
            read_package(folder)
        path.write_bytes(whole)
    read_package(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema_version=4), "another schema version"),
        (lambda m: m.update(surprise=1), "surprise"),
        (lambda m: m.pop("arena"), "arena"),
        (lambda m: m["features"].update(num_mels=0), "damaged"),
        (lambda m: m["files"].update({"../escape": "0" * 64}), "outside of the package"),
        (lambda m: m["files"].pop("model.tflite"), "does not list"),
        (lambda m: m["model"].update(sha256="0" * 64), "not the one"),
        (lambda m: m["model"].update(bytes=-1), "model.bytes"),
        (lambda m: m["model"].update(bytes=1), "not the one"),
    ],
)
def test_a_changed_manifest_is_refused(
    copy_of: Callable[[str], Path], change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = copy_of("tflite-micro") / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message):
        read_package(path.parent)


def test_a_tflite_without_manifest_is_refused(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    (tmp_path / "plain.tflite").write_bytes(tiny_artifact.model)
    with pytest.raises(DataError, match="no edge_sv manifest"):
        read_package(tmp_path / "plain.tflite")


@pytest.mark.parametrize("cut", [0, 4, 8, 100, 5000])
def test_a_truncated_tflite_is_refused(packages: dict[str, DevicePackage], tmp_path: Path, cut: int) -> None:
    whole = (packages["tflite"].path / "model.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[:cut])
    with pytest.raises(DataError):
        read_package(tmp_path / "cut.tflite")


def test_reading_needs_no_runtime(packages: dict[str, DevicePackage]) -> None:
    code = (
        "import sys\n"
        "for name in ('ai_edge_litert', 'tflite_micro', 'jinja2', 'tensorflow', 'flatbuffers'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\nfrom edge_sv.package import read_package\n"
        "print([read_package(Path(name)).artifact.sha256 for name in sys.argv[1:]])\n"
    )
    folders = [*(package.path for package in packages.values()), packages["tflite"].path / "model.tflite"]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.count(packages["tflite"].artifact.sha256) == 4, done.stderr
