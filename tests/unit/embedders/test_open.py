"""Models are found by name, folder and file, and opened in a runtime; what cannot be opened is refused in words."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from edge_sv import embedders
from edge_sv.artifacts.artifact import ModelArtifact, save_artifact
from edge_sv.artifacts.locate import asset_names
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import (
    artifact_embedder,
    open_artifact,
    open_embedder,
)
from edge_sv.errors import DataError, ToolMissing, UsageError
from edge_sv.system import bundled
from edge_sv.system.array_types import Int16
from tests.nets import make_converted_net, voices


@pytest.fixture(scope="module")
def speech() -> Int16:
    return read_recording(voices()[0])


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_converted_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.mark.parametrize("runtime", ["keras", "tflite", "tflm", None])
def test_opens_by_runtime(net: Path, speech: Int16, runtime: str | None) -> None:
    embedder = open_embedder(net, runtime=runtime)
    assert embedder.embed(speech).shape == (embedder.embedding_dim,)


def test_models_have_different_identities(net: Path) -> None:
    float_net, converted = open_embedder(net, runtime="keras"), open_embedder(net)
    assert len({float_net.model_sha256, converted.model_sha256}) == 2


def test_unknown_names_have_a_nearest(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="did you mean 'tflite'"):
        open_embedder(net, runtime="tflit")
    (tmp_path / "resnet-nano").mkdir()
    (tmp_path / "resnet-nano" / "net.json").write_text("{}")
    monkeypatch.setattr("edge_sv.artifacts.locate.assets_dir", lambda: tmp_path)
    with pytest.raises(UsageError, match="did you mean 'resnet-nano'"):
        open_embedder("resnet-nan")
    with pytest.raises(DataError, match="float net only"):
        open_artifact("resnet-nano")


def test_what_is_no_model_is_refused(tmp_path: Path, net: Path) -> None:
    with pytest.raises(UsageError, match="no such model"):
        open_artifact(tmp_path / "absent.tflite")
    with pytest.raises(DataError, match="is a folder without"):
        open_artifact(tmp_path)
    with pytest.raises(UsageError, match="is a converted model"):
        open_embedder(net / "static_wi8_ai8", runtime="keras")


def test_falls_back_to_tflite_runtime(tiny_artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """tflite-runtime's interface is LiteRT's: stand in for it with the latter, and take LiteRT away."""
    import ai_edge_litert.interpreter as real

    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", real)
    assert isinstance(artifact_embedder(tiny_artifact), embedders.TfliteRuntimeEmbedder)


def test_a_runtime_that_imports_and_does_not_work_is_missing(
    tiny_artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        @staticmethod
        def Interpreter(**_: object) -> None:  # noqa: N802
            raise AttributeError("_ARRAY_API not found")

    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", Broken)
    with pytest.raises(ToolMissing, match="_ARRAY_API not found") as caught:
        artifact_embedder(tiny_artifact)
    assert "pip install ai-edge-litert" in str(caught.value)


def test_bundled_models_open() -> None:
    for name in asset_names():
        artifact = open_artifact(name)
        assert artifact.scoring is not None and artifact.name == name
        assert (bundled.assets_dir() / name / "README.md").is_file()


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "bits"])
def test_a_damaged_file_is_bad_data(net: Path, tmp_path: Path, damage: str) -> None:
    artifact = open_artifact(net)
    rng = random.Random(3)
    bits = bytearray(artifact.model)
    for _ in range(40):
        bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
    data = {"empty": b"", "text": b"hello " * 99, "cut": artifact.model[:2000], "bits": bytes(bits)}[damage]
    (tmp_path / "model.tflite").write_bytes(data)
    with pytest.raises(DataError):
        open_artifact(tmp_path / "model.tflite")
    save_artifact(tmp_path / "artifact", artifact)
    (tmp_path / "artifact" / "model.tflite").write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        open_artifact(tmp_path / "artifact")


def test_an_artifact_in_a_runtime_that_does_not_run_it_is_refused_by_name(tiny_artifact: ModelArtifact) -> None:
    for runtime in ("keras", "tflight"):
        with pytest.raises(UsageError, match=f"unknown runtime of converted models '{runtime}'") as caught:
            artifact_embedder(tiny_artifact, runtime=runtime)
        assert caught.value.details["known"] == "c, emulator, tflite, tflm"
    assert embedders.RUNTIMES == ("c", "emulator", "keras", "tflite", "tflm")
