"""Artifacts come back whole from disk or not at all."""

from __future__ import annotations

import dataclasses
import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ARTIFACT_FILE, ModelArtifact, artifact_files, load_artifact, save_artifact
from edge_sv.artifacts.net import net_sha256
from edge_sv.errors import DataError
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import sha256_bytes


def test_comes_back_whole(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)
    back = load_artifact(tmp_path / "a")
    assert dataclasses.replace(back, cohort=None) == dataclasses.replace(tiny_artifact, cohort=None)
    assert back.cohort is not None and tiny_artifact.cohort is not None
    np.testing.assert_array_equal(back.cohort.embeddings, tiny_artifact.cohort.embeddings)
    assert back.sha256 == sha256_bytes(tiny_artifact.model)


def test_without_scoring_and_cohort(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    bare = dataclasses.replace(tiny_artifact, scoring=None, cohort=None)
    save_artifact(tmp_path / "a", bare)
    assert load_artifact(tmp_path / "a") == bare
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [ARTIFACT_FILE, "model.tflite"]


def test_same_artifact_same_bytes(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)
    assert artifact_files(load_artifact(tmp_path / "a")) == artifact_files(tiny_artifact)


@pytest.mark.parametrize("name", ["model.tflite", "cohort.npz"])
def test_one_flipped_bit_is_found(tiny_artifact: ModelArtifact, tmp_path: Path, name: str) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)
    path = tmp_path / "a" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"{name} is damaged"):
        load_artifact(tmp_path / "a")


@pytest.mark.parametrize("name", ["model.tflite", "cohort.npz", ARTIFACT_FILE])
def test_missing_file_is_named(tiny_artifact: ModelArtifact, tmp_path: Path, name: str) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)
    (tmp_path / "a" / name).unlink()
    with pytest.raises(DataError, match=name):
        load_artifact(tmp_path / "a")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("kind", "onnx"),
        ("extra", 1),
        ("layers", [{"name": "x"}]),
        ("segments", {"frames": 0, "hop_frames": 1}),
        ("features", {"num_mels": -1}),
        ("scoring", {"kind": "cosine"}),
        ("embedding_dim", None),
    ],
)
def test_wrong_description_is_refused(tiny_artifact: ModelArtifact, tmp_path: Path, field: str, value: object) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)
    path = tmp_path / "a" / ARTIFACT_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(DataError, match=rf"{ARTIFACT_FILE} is damaged"):
        load_artifact(tmp_path / "a")


def test_no_file_outside_of_the_folder_is_read(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)
    (tmp_path / "a" / "model.tflite").rename(tmp_path / "model.tflite")
    path = tmp_path / "a" / ARTIFACT_FILE
    path.write_text(path.read_text().replace('"model.tflite"', '"../model.tflite"'))
    with pytest.raises(DataError):
        load_artifact(tmp_path / "a")


def test_failed_save_leaves_the_old_one(
    tiny_artifact: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_artifact(tmp_path / "a", tiny_artifact)

    def fail(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(DataError, match="cannot write"):
        patched.setattr(Path, "write_bytes", fail)
        save_artifact(tmp_path / "a", dataclasses.replace(tiny_artifact, name="other"))
    assert load_artifact(tmp_path / "a").name == tiny_artifact.name
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _write_net(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    net = {"name": "n", "family": "resnet", "config": {"w": [1]}, "features": {}, "segments": {}, "provenance": {}}
    (folder / "net.json").write_text(json.dumps({**net, **changes}))
    (folder / "weights.npz").write_bytes(b"weights")
    return folder


def test_a_net_is_its_weights_and_use_not_its_history(tmp_path: Path) -> None:
    net = net_sha256(_write_net(tmp_path / "net"))
    assert net_sha256(_write_net(tmp_path / "net", name="m", provenance={"dev_eer": 0.1})) == net
    assert net_sha256(_write_net(tmp_path / "net", features={"num_mels": 40})) != net
    (tmp_path / "net" / "weights.npz").write_bytes(b"other")
    assert net_sha256(tmp_path / "net") != net


def test_an_unfinished_net_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a float net"):
        net_sha256(tmp_path)
    (_write_net(tmp_path / "net") / "net.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        net_sha256(tmp_path / "net")


def _few_values(artifact: ModelArtifact) -> ModelArtifact:
    """The artifact with a model file that packs well, as one with few-valued weights does."""
    return dataclasses.replace(artifact, model=artifact.model + bytes(4 * len(artifact.model)))


def test_a_model_of_few_values_is_packed_and_comes_back_bit_for_bit(
    tiny_artifact: ModelArtifact, tmp_path: Path
) -> None:
    packed = _few_values(tiny_artifact)
    save_artifact(tmp_path / "a", packed)
    assert not (tmp_path / "a" / "model.tflite").exists()
    assert (tmp_path / "a" / "model.tflite.xz").stat().st_size < 0.75 * len(packed.model)
    assert load_artifact(tmp_path / "a").model == packed.model
    save_artifact(tmp_path / "a", tiny_artifact)
    assert not (tmp_path / "a" / "model.tflite.xz").exists()
    assert load_artifact(tmp_path / "a").model == tiny_artifact.model


@pytest.mark.parametrize("spoil", ["cut", "flip", "empty", "other", "bomb"])
def test_a_damaged_or_hostile_pack_is_refused(
    tiny_artifact: ModelArtifact, tmp_path: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_artifact(tmp_path / "a", _few_values(tiny_artifact))
    path = tmp_path / "a" / "model.tflite.xz"
    data = path.read_bytes()
    flipped = bytes([*data[:100], data[100] ^ 1, *data[101:]])
    other = {"cut": data[:-9], "flip": flipped, "empty": b"", "other": lzma.compress(b"another model")}
    path.write_bytes(other.get(spoil, lzma.compress(bytes(1 << 22))))
    if spoil == "bomb":
        monkeypatch.setattr("edge_sv.system.packed.LARGEST_FILE", 1 << 20)
    with pytest.raises(DataError, match="is damaged"):
        load_artifact(tmp_path / "a")


def test_bundled_models_of_few_values_are_packed() -> None:
    packed = {path.parent.name for path in assets_dir().glob("*/*/model.tflite.xz")}
    plain = {path.parent.name for path in assets_dir().glob("*/*/model.tflite")}
    assert packed >= {"palette_w4_ai8", "palette_w2_ai8", "mixed_w248_ai8", "binary_w1_ai8"}
    assert "static_wi8_ai8" in plain and not plain & {"palette_w4_ai8", "palette_w2_ai8", "binary_w1_ai8"}
