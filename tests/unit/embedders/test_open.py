"""Every runtime embeds alike; what cannot be run is refused in words."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sv import embedders
from edge_sv.artifacts.artifact import ModelArtifact, save_artifact
from edge_sv.artifacts.locate import asset_names
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import (
    IntegerEmbedder,
    KerasEmbedder,
    LiteRTEmbedder,
    TflmEmbedder,
    artifact_embedder,
    open_artifact,
    open_embedder,
)
from edge_sv.errors import DataError, ToolMissing, UsageError
from edge_sv.frontend.features import compute_features
from edge_sv.frontend.segments import SegmentRule, normalize_length
from edge_sv.runtimes import litert
from edge_sv.system import bundled
from edge_sv.system.array_types import Int16
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.quantization import TensorFormat
from tests.nets import make_converted_net, voices


@pytest.fixture(scope="module")
def speech() -> Int16:
    return read_recording(voices()[0])


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_converted_net(tmp_path_factory.mktemp("nets") / "tiny")


def test_tflm_equals_the_reference_kernels(tiny_artifact: ModelArtifact) -> None:
    reference, device = LiteRTEmbedder(tiny_artifact, reference_kernels=True), TflmEmbedder(tiny_artifact)
    rng = np.random.default_rng(7)
    for _ in range(20):
        segment = rng.integers(-128, 128, (50, 16)).astype(np.int8)
        np.testing.assert_array_equal(reference.invoke(segment), device.invoke(segment))


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


def test_threads_change_nothing(tiny_artifact: ModelArtifact, speech: Int16) -> None:
    one, two = (LiteRTEmbedder(tiny_artifact, threads=threads).embed(speech) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_int8_is_close_to_keras(net: Path, speech: Int16) -> None:
    artifact = open_artifact(net)
    wanted = KerasEmbedder(net).embed(speech)
    for embedder in (LiteRTEmbedder(artifact), TflmEmbedder(artifact)):
        assert float(embedder.embed(speech) @ wanted) > 0.99


def test_rounds_half_away_from_zero_and_saturates() -> None:
    grid = TensorFormat((1,), 0.5, 3)
    values = np.array([0.25, -0.25, 0.2, -0.2, 100, -100, 0.75], np.float32)
    np.testing.assert_array_equal(grid.quantize(values), [4, 2, 3, 3, 127, -128, 5])
    np.testing.assert_array_equal(grid.dequantize(np.array([4, 3, -128], np.int8)), [0.5, 0, -65.5])


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


def test_a_description_that_does_not_fit_is_refused(tiny_artifact: ModelArtifact) -> None:
    for changes in ({"segments": SegmentRule(51, 25)}, {"embedding_dim": 23}):
        wrong = dataclasses.replace(tiny_artifact, **changes)
        for make in (LiteRTEmbedder, TflmEmbedder):
            with pytest.raises(DataError, match="does not fit its description"):
                make(wrong)


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


def test_tflm_missing_says_how_to_get_it(tiny_artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(ToolMissing, match=r"pip install 'edge_sv\[micro\]'"):
        TflmEmbedder(tiny_artifact)


def test_probe_model_is_one_relu() -> None:
    graph = parse_model(litert.PROBE_MODEL)
    assert len(graph.subgraphs[0].operators) == 1 and len(graph.subgraphs[0].tensors) == 2


def test_bundled_models_open() -> None:
    for name in asset_names():
        artifact = open_artifact(name)
        assert artifact.scoring is not None and artifact.name == name
        assert (bundled.assets_dir() / name / "README.md").is_file()


DAMAGED = """
import random, sys
from pathlib import Path
from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import parse_model
data = Path(sys.argv[1]).read_bytes()
rng = random.Random(int(sys.argv[2]))
refused = 0
for turn in range(150):
    bad = bytearray(data[: rng.randrange(len(data))] if turn % 3 == 0 else data)
    for _ in range(rng.randrange(1, 6) if bad else 0):
        bad[rng.randrange(len(bad) if turn % 2 else min(len(bad), 4000))] = rng.randrange(256)
    try:
        parse_model(bytes(bad))
    except DataError:
        refused += 1
print(refused)
"""


def test_damaged_models_are_refused_without_a_crash(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_artifact.model)
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED, path, "1"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 50, "every third model is cut short, so at least those are refused"


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
