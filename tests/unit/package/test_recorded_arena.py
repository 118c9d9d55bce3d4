"""Arenas: measured where that is possible, else as recorded, else refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import asset_names
from edge_sv.embedders import open_artifact
from edge_sv.errors import ToolMissing
from edge_sv.package import recorded_arena
from edge_sv.package.recorded_arena import RECORD_FILE, find_arena, record_arenas
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import sha256_bytes


@pytest.fixture
def without_tflm(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ToolMissing("tflite-micro is not usable here")

    monkeypatch.setattr(recorded_arena, "measure_arena", missing)


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_arena, "assets_dir", lambda: tmp_path)
    return tmp_path


def test_a_recorded_arena_is_the_measured_one(
    tiny_artifact: ModelArtifact, assets: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    measured = find_arena(tiny_artifact.model)
    assert record_arenas([tiny_artifact.model], assets / RECORD_FILE) == 1
    request.getfixturevalue("without_tflm")
    assert find_arena(tiny_artifact.model) == measured
    filters = [(16, 3, 3, 8)]
    assert find_arena(tiny_artifact.model, filters=filters).scratch_bytes > 0


@pytest.mark.usefixtures("without_tflm")
def test_an_arena_that_was_not_recorded_says_what_is_missing(tiny_artifact: ModelArtifact, assets: Path) -> None:
    for record in (None, {sha256_bytes(b"another"): 1}):
        if record:
            (assets / RECORD_FILE).write_text(json.dumps(record))
        with pytest.raises(ToolMissing, match="tflite-micro is not usable here"):
            find_arena(tiny_artifact.model)


@pytest.mark.usefixtures("without_tflm")
@pytest.mark.parametrize("name", asset_names())
def test_bundled_models_are_recorded(name: str) -> None:
    assert find_arena(open_artifact(name).model).bytes > 1000


def test_the_record_is_sorted_so_that_it_changes_little() -> None:
    record = json.loads((assets_dir() / RECORD_FILE).read_text())
    assert list(record) == sorted(record) and all(isinstance(value, int) and value > 0 for value in record.values())
