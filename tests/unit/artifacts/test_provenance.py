"""Where a converted model comes from: typed, and kept word for word."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact, artifact_files, load_artifact, save_artifact
from edge_sv.artifacts.check_report import CheckReport
from edge_sv.artifacts.locate import asset_names, locate
from edge_sv.artifacts.provenance import CalibrationSpeech, DevelopmentErrors, Provenance
from edge_sv.errors import DataError

REPORT = CheckReport("lists", 9, 20, 0.99, 0.995, 0.98, 36, 9, 0.1, 0.11)
ERRORS = DevelopmentErrors(trials=36, targets=9, eer_cosine=0.1, eer_as_norm=0.09)


def test_parts_are_typed_and_unknown_ones_are_kept() -> None:
    stated = {"note": [1], "float_sha256": "ab", "calibration": {"source": "speech", "segments": 3}}
    provenance = Provenance(stated).with_check(REPORT).with_development(ERRORS)
    assert provenance.float_sha256 == "ab" and provenance.compression is None
    assert provenance.calibration == CalibrationSpeech("speech", 3)
    assert (provenance.check, provenance.development) == (REPORT, ERRORS)
    assert list(provenance.stated) == [*stated, "check", "development"] and provenance.stated["note"] == [1]


def test_what_is_not_stated_is_none() -> None:
    nothing = Provenance()
    assert (nothing.float_sha256, nothing.calibration, nothing.check, nothing.development) == (None,) * 4


@pytest.mark.parametrize(
    "stated",
    [
        {"calibration": {"source": "speech"}},
        {"calibration": "speech"},
        {"development": {"trials": "many", "targets": 1, "eer_cosine": 0.1, "eer_as_norm": 0.1}},
        {"check": 3},
        {"check": {"a": 1}},
    ],
    ids=lambda stated: next(iter(stated)),
)
def test_a_damaged_part_is_refused(stated: dict[str, object], tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="damaged"):
        Provenance(stated)
    save_artifact(tmp_path / "artifact", dataclasses.replace(tiny_artifact, provenance=Provenance()))
    path = tmp_path / "artifact" / "artifact.json"
    path.write_text(path.read_text().replace('"provenance": {}', f'"provenance": {stated}'.replace("'", '"')))
    with pytest.raises(DataError, match="damaged"):
        load_artifact(tmp_path / "artifact")


def test_bundled_artifacts_are_written_as_they_were_read() -> None:
    for path in (path for name in asset_names() for path in locate(name).artifacts()):
        assert artifact_files(load_artifact(path))["artifact.json"] == (path / "artifact.json").read_bytes(), path
