"""A package is placed whole, only over a package, and not again when it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.package import place_at, refuse_foreign_folder


@pytest.fixture(scope="module")
def package(artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(artifact, load_target("tflite"), tmp_path_factory.mktemp("kept") / "package")


def test_placed_once(package: DevicePackage, tmp_path: Path) -> None:
    place = place_at(tmp_path / "out")
    placed, moved = place(package)
    assert moved and placed.path == tmp_path / "out" and placed.manifest == package.manifest
    assert place(package)[1] is False
    (tmp_path / "out" / "manifest.json").write_text("{}")
    assert place(package)[1] is True and place(package)[1] is False


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
