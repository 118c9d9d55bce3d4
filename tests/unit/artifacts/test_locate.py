"""What a MODEL argument is: one answer for names, folders and files, the truth for everything foreign."""

from __future__ import annotations

import errno
import shutil
import zipfile
from pathlib import Path

import pytest

from edge_sv.artifacts.locate import ModelKind, asset_names, find_net, locate
from edge_sv.errors import DataError, UsageError
from edge_sv.system.bundled import assets_dir
from tests.nets import make_float_net

NANO = assets_dir() / "resnet-nano"


def test_a_bundled_name_and_its_forms() -> None:
    net = locate("resnet-nano")
    assert (net.kind, net.path, net.net, net.name) == (ModelKind.FLOAT_NET, NANO, NANO, "resnet-nano")
    form = locate("resnet-nano/palette_w4_ai8")
    assert form.kind is ModelKind.ARTIFACT and form.net == NANO.resolve() and form.name == "resnet-nano"
    assert form.artifact("static_wi8_ai8") == form.path == net.artifact("palette_w4_ai8")
    assert net.artifact("nothing") is None and len(net.artifacts()) > 4 and form.artifacts() == [form.path]
    assert net.compressed("palette_w4_ai8") == NANO / "compressed" / "palette_w4_ai8"
    assert net.compressed("static_wi8_ai8") is None
    assert set(asset_names()) >= {"resnet-nano", "resnet-thin"}


def test_a_name_that_exists_here_goes_before_a_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_float_net(tmp_path / "resnet-nano")
    monkeypatch.chdir(tmp_path)
    assert locate("resnet-nano").path == Path("resnet-nano")


def test_a_converted_model_on_its_own_has_no_float_net(tmp_path: Path) -> None:
    shutil.copytree(NANO / "static_wi8_ai8", tmp_path / "alone")
    alone = locate(tmp_path / "alone")
    assert alone.kind is ModelKind.ARTIFACT and alone.net is None and alone.compressed("palette_w4_ai8") is None


@pytest.mark.parametrize(
    ("name", "content", "words", "hint"),
    [
        ("README.md", b"# A title\n", "a text file", "give a bundled net's name"),
        ("umlaut.txt", "ä".encode() * 400, "a text file", "give"),
        ("empty", b"", "an empty file", "give"),
        ("noise.bin", bytes(range(256)), "a file of an unknown format", "give"),
        ("own.keras", b"PK\x03\x04", "a Keras model", "int8 .tflite"),
        ("own.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file", "int8 .tflite"),
        ("renamed", b"\x89HDF\r\n\x1a\n", "an HDF5 file", "int8 .tflite"),
        ("own.onnx", b"\x08\x07", "an ONNX model", "int8 .tflite"),
        ("avg_model.pt", b"PK\x03\x04", "a PyTorch checkpoint", "int8 .tflite"),
        ("net.safetensors", b"\x10", "a safetensors file", "int8 .tflite"),
        ("x.espdl", b"EDL2", "an ESP-DL model", "int8 .tflite"),
        ("a.zip", b"PK\x03\x04", "a ZIP archive", "unpack"),
        ("a.npz", b"PK\x03\x04", "an array file", "folder"),
        ("net.json", b"{}", "part of a float net", "give its folder"),
        ("manifest.json", b"{}", "part of a device package", "give its folder"),
        ("palettes.npz", b"PK", "part of a float net", "give its folder"),
        ("weights.npz.xz", b"\xfd7zXZ", "part of a float net", "give its folder"),
        ("model.tflite.xz", b"\xfd7zXZ", "part of a converted model", "give its folder"),
        ("me.print", b"x", "a voice print", "edge-sv verify"),
        ("a.flac", b"fLaC", "a recording", "give"),
        ("r.toml", b"name = 1", "a TOML file", "--recipe"),
    ],
)
def test_a_foreign_file_is_told_what_it_is(tmp_path: Path, name: str, content: bytes, words: str, hint: str) -> None:
    (tmp_path / name).write_bytes(content)
    found = locate(tmp_path / name)
    assert found.kind is ModelKind.FOREIGN and words in found.description
    with pytest.raises(DataError, match=words) as caught:
        found.require(ModelKind.FLOAT_NET)
    assert caught.value.hint is not None and hint in caught.value.hint
    assert caught.value.details == {"wanted": "a float net"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "a folder without net.json, artifact.json or manifest.json"),
        (["saved_model.pb"], "a TensorFlow SavedModel"),
        (["avg_model.pt", "config.yaml"], "a WeSpeaker checkpoint"),
        (["hyperparams.yaml", "embedding_model.ckpt"], "a SpeechBrain checkpoint"),
        (["config.json", "state.npz"], "a training run without a finished net"),
    ],
)
def test_a_foreign_folder_is_told_what_it_is(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert locate(tmp_path).description == words and locate(tmp_path).kind is ModelKind.FOREIGN


def test_a_folder_of_nets_names_them(tmp_path: Path) -> None:
    make_float_net(tmp_path / "mine")
    assert "mine" in str(locate(tmp_path).hint)


def test_a_tflite_file_with_and_without_a_front_end(tmp_path: Path) -> None:
    from edge_sv.tflite import metadata

    model = (NANO / "static_wi8_ai8" / "model.tflite").read_bytes()
    for name in ("net.tflite", "no suffix"):
        (tmp_path / name).write_bytes(model)
        assert locate(tmp_path / name).kind is ModelKind.TFLITE
    (tmp_path / "package.tflite").write_bytes(metadata.embed(model, {"edge_sv_manifest": b"{}"}))
    assert locate(tmp_path / "package.tflite").kind is ModelKind.PACKAGE
    (tmp_path / "damaged.tflite").write_bytes(b"no model")
    with pytest.raises(DataError):
        locate(tmp_path / "damaged.tflite")


@pytest.mark.parametrize("name", ["resnet-nanno", "../resnet-nano", "absent.tflite", "resnet-nano/nothing", "a\0b"])
def test_what_is_not_there(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        locate(name)
    if name == "resnet-nanno":
        assert caught.value.hint == "did you mean 'resnet-nano'?"


def test_find_net_wants_a_float_net(tmp_path: Path) -> None:
    assert find_net("resnet-nano") == NANO
    with pytest.raises(UsageError, match="is a converted model"):
        find_net("resnet-nano/static_wi8_ai8")
    with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(DataError, match="is a Keras model"):
        find_net(tmp_path / "n.keras")


def test_a_place_that_may_not_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **options: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(DataError, match="cannot read") as caught:
        locate(tmp_path / "net")
    assert caught.value.details == {"got": "Permission denied"}
