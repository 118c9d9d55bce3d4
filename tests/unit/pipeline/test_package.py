"""A package is placed whole, only over a package, and not again when it is there."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError, UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.package import place_at, refuse_foreign_folder
from edge_sv.system.files import sha256_bytes


@pytest.fixture(scope="module")
def package(artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(artifact, load_target("tflite"), tmp_path_factory.mktemp("kept") / "package")


def test_placed_once(package: DevicePackage, tmp_path: Path) -> None:
    place = place_at(tmp_path / "out")
    placed, moved = place(package)
    assert moved and placed.path == tmp_path / "out" and placed.manifest == package.manifest
    assert place(package)[1] is False
    manifest = tmp_path / "out" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-5])
    assert place(package)[1] is True and place(package)[1] is False
    (tmp_path / "out" / "model.tflite").write_bytes(b"damaged")
    assert place(package)[1] is True and place(package)[1] is False


def test_a_full_disk_is_told_once_and_leaves_nothing(package: DevicePackage, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match="cannot write") as caught:
            place_at(tmp_path / "out")(package)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.details == {"got": "File too large"} and "free some space" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_files_of_the_users_in_a_package_stay_when_it_is_built_again(package: DevicePackage, tmp_path: Path) -> None:
    out = tmp_path / "out"
    place_at(out)(package)
    mine = [".git/config", "notes.md", "src/main.c", "golden/mine/input.bin"]
    for name in mine:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    assert place_at(out)(package)[1] is False, "they do not make it another package"
    (out / "model.tflite").write_bytes(b"damaged")
    assert place_at(out)(package)[1] is True
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["files"]["stale.c"] = sha256_bytes(b"stale")
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1))
    (out / "stale.c").write_bytes(b"stale")
    assert place_at(out)(package)[1] is True and not (out / "stale.c").exists()
    assert [(out / name).read_text() for name in mine] == ["mine"] * len(mine)


def test_a_folder_with_the_manifest_of_another_program_is_not_a_package(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "my extension", "manifest_version": 3}')
    with pytest.raises(UsageError, match="is not a package"):
        refuse_foreign_folder(tmp_path)


def test_what_is_no_package_is_not_replaced(package: DevicePackage, tmp_path: Path) -> None:
    refuse_foreign_folder(tmp_path / "new")
    refuse_foreign_folder(package.path)
    (tmp_path / "empty").mkdir()
    refuse_foreign_folder(tmp_path / "empty")
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    for taken in ("file", "mine"):
        with pytest.raises(UsageError, match="is not a package"):
            refuse_foreign_folder(tmp_path / taken)
