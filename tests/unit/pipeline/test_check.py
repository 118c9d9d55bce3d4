"""The check stage: full, by the reference kernels, or as it was recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact
from edge_sv.artifacts.provenance import Provenance
from edge_sv.errors import DataError
from edge_sv.pipeline import check
from edge_sv.pipeline.check import Checked, artifact_identity, check_stage, recorded_check, strongest_check
from edge_sv.pipeline.convert import Converted
from edge_sv.pipeline.request import ConversionRequest, build_request
from edge_sv.pipeline.stage import run_stages
from edge_sv.system.stage_cache import StageCache
from tests.unit.pipeline.test_build import RECORDED


def run(request: ConversionRequest, converted: Converted, folder: Path, **options: Path) -> Checked:
    results, _ = run_stages([check_stage(request, **options)], converted, StageCache(folder))
    checked: Checked = results[-1]
    return checked


@pytest.fixture
def request_of(net: Path) -> ConversionRequest:
    return build_request(net).conversion


def recorded(artifact: ModelArtifact) -> ModelArtifact:
    return dataclasses.replace(artifact, provenance=artifact.provenance.with_check(RECORDED))


def test_the_strongest_check_is_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert strongest_check() == "full"
    for missing in ("train", "micro"):
        monkeypatch.setattr(check, "has_extra", lambda name, gone=missing: name != gone)
        assert strongest_check() == "reference"


def test_without_tensorflow_the_record_stands_in(
    request_of: ConversionRequest, artifact: ModelArtifact, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "has_extra", lambda name: False)
    checked = run(request_of, Converted(recorded(artifact), net), tmp_path)
    assert checked.report == dataclasses.replace(RECORDED, made="reference")
    with pytest.raises(DataError, match="was never checked"):
        run(request_of, Converted(artifact, net), tmp_path)


def test_the_artifact_is_placed_where_it_is_wanted(
    request_of: ConversionRequest, artifact: ModelArtifact, net: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stage, cache = check_stage(request_of, out=out), StageCache(tmp_path / "work")
    statuses = [run_stages([stage], Converted(artifact, net), cache)[1][0].status for _ in range(2)]
    assert statuses == ["done", "unchanged"] and load_artifact(out) == artifact
    (out / "model.tflite").write_bytes(b"damaged")
    assert run_stages([stage], Converted(artifact, net), cache)[1][0].status == "done"
    assert load_artifact(out) == artifact


def test_identity_has_every_file(artifact: ModelArtifact) -> None:
    assert set(artifact_identity(artifact)) == {"artifact.json", "model.tflite"}
    other = dataclasses.replace(artifact, provenance=Provenance({"note": 1}))
    assert artifact_identity(other)["model.tflite"] == artifact_identity(artifact)["model.tflite"]
    assert artifact_identity(other) != artifact_identity(artifact)


def test_a_record_that_is_missing_is_said(artifact: ModelArtifact) -> None:
    assert recorded_check(recorded(artifact)) == RECORDED
    with pytest.raises(DataError, match="never checked against its float net"):
        recorded_check(artifact)
