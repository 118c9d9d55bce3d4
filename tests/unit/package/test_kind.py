"""Kinds of packages are found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import UsageError
from edge_sv.package import write_package
from edge_sv.package.target import Target


def test_unknown_kind_of_package(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    target = Target(name="x", description="x", package="tflite-macro", converter="tflite")
    with pytest.raises(UsageError, match="did you mean 'tflite-micro'"):
        write_package(tiny_artifact, target, tmp_path / "out")
