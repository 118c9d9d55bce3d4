"""`edge-sv report` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import Run

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")


def test_a_page_with_its_figures(run: Run, tiny_net: Path, tmp_path: Path) -> None:
    ran = run("report", tiny_net, "--out", tmp_path / "report")
    assert ran.code == 0, ran.err
    page = (tmp_path / "report" / "report.html").read_text()
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert page.startswith("<!DOCTYPE html>") and "tiny" in page
    assert {model["label"] for model in figures["models"]} and "report.html" in ran.out
    assert "left out: " in ran.out, "there is no data"


def test_json_lists_what_was_left_out(run: Run, tiny_net: Path, tmp_path: Path) -> None:
    values = run("report", tiny_net, "--out", tmp_path / "report", "--json").document
    assert Path(values["page"]).is_file() and values["left_out"]
    assert any("static_wi8_ai8" in label for label in values["models"])


def test_a_model_that_is_not_there(run: Run, tmp_path: Path) -> None:
    ran = run("report", "resnet-nanno", "--out", tmp_path / "report")
    assert ran.code == 2 and "did you mean 'resnet-nano'?" in ran.err
    assert not (tmp_path / "report").exists()
