"""`edge-sv analyze layers` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Run
from tests.cli.plots import texts

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")


def test_layers(run: Run, tiny_net: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
    ran = run("analyze", "layers", tiny_net, "--plot", tmp_path / "l.svg")
    assert ran.code == 0
    assert ran.out.count("<") == sum(line.rstrip().endswith("<") for line in ran.out.splitlines()) >= 1
    assert "stage2_block1_conv1" in texts(tmp_path / "l.svg")
    ran = run("analyze", "layers", tiny_net / "static_wi8_ai8", "--against", tiny_net, "--json")
    assert ran.code == 0 and ran.document["layers"][0]["layer"] == "stem_conv"


def test_a_folder_that_is_no_model(run: Run, tmp_path: Path) -> None:
    ran = run("analyze", "layers", tmp_path)
    assert ran.code == 3 and "is a folder without net.json" in ran.err
