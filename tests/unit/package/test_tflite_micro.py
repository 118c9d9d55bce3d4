"""The `tflite-micro` package."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import TflmEmbedder
from edge_sv.errors import DataError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from edge_sv.tflite.flatbuffer import OPERATOR_NAMES, pack_model, parse_model


def test_tensor_grids_are_those_of_the_runtime(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact
) -> None:
    embedder, manifest = TflmEmbedder(tiny_artifact), packages["tflite-micro"].manifest
    for grid, stated in ((embedder.input, manifest.input), (embedder.output, manifest.output)):
        assert (grid.shape, grid.scale, grid.zero_point) == (stated.shape, stated.scale, stated.zero_point)


def test_an_operator_that_tflm_lacks_is_named(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    model = parse_model(tiny_artifact.model)
    codes = {name: code for code, name in OPERATOR_NAMES.items()}
    (mean,) = [code for code in model.operatorCodes if OPERATOR_NAMES[code.builtinCode] == "MEAN"]
    mean.builtinCode = codes["GELU"]
    mean.deprecatedBuiltinCode = 127
    broken = dataclasses.replace(tiny_artifact, model=pack_model(model))
    with pytest.raises(DataError, match="GELU"):
        write_package(broken, load_target("tflite-micro"), tmp_path / "out")


def test_a_cosine_package_has_no_cohort_in_c(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    assert tiny_artifact.scoring is not None
    cosine = dataclasses.replace(tiny_artifact, scoring=dataclasses.replace(tiny_artifact.scoring, kind="cosine"))
    package = write_package(cosine, load_target("tflite-micro"), tmp_path / "cosine")
    assert not list(package.path.glob("src/esv_cohort*"))
    assert package.manifest.sizes.cohort_bytes == 0
    assert "esv_cohort" not in (package.path / "CMakeLists.txt").read_text()
    bare = dataclasses.replace(tiny_artifact, scoring=None, cohort=None)
    package = write_package(bare, load_target("tflite-micro"), tmp_path / "bare")
    assert "ESV_MODEL_THRESHOLD" not in (package.path / "src/esv_model_config.h").read_text()
    assert package.artifact.scoring is None
    assert package.artifact.cohort is None
