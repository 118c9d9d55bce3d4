"""The tiny model as a package of each bundled kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target

TARGETS = ["tflite-micro", "tflite", "cortex-m"]
CHECK = {"cosine_to_float": 0.999, "bit_exact": True}


def files_in(folder: Path) -> list[Path]:
    """List all files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def packages(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DevicePackage]:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    folder = tmp_path_factory.mktemp("packages")
    return {name: write_package(tiny_artifact, load_target(name), folder / name, check=CHECK) for name in TARGETS}


@pytest.fixture
def copy_of(packages: dict[str, DevicePackage], tmp_path: Path) -> Callable[[str], Path]:
    """Copy a package, to be damaged."""

    def copy(name: str) -> Path:
        for path in files_in(packages[name].path):
            place = tmp_path / name / path.relative_to(packages[name].path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
        return tmp_path / name

    return copy
