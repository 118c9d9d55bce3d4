"""`edge-sv analyze weights` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Run
from tests.cli.plots import texts

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")


def test_weights_of_two_bundled_nets(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
    ran = run("analyze", "weights", "resnet-nano", "ecapa-small", "--plot", tmp_path / "w.svg")
    assert ran.code == 0
    assert "stage4_block1_conv2" in ran.out and "aggregation_conv" in ran.out and "a gaussian" in ran.out
    assert "roughness and kmeans/3 loss: rank correlation 0.9" in ran.out
    assert "smoothest weights: ecapa-small" in ran.out
    assert "resnet-nano (resnet)" in texts(tmp_path / "w.svg")


def test_weights_and_embeddings_as_json(run: Run, tiny_net: Path) -> None:
    ran = run("analyze", "weights", tiny_net, "--embeddings", "--json")
    values = ran.document
    assert ran.code == 0
    assert values["nets"][0]["name"] == "tiny"
    assert {row["bits"] for row in values["rounding"][0]["effects"]} == {2, 3, 4, 8}
    assert values["rounding"][0]["source"] == "bundled synthetic voices"


def test_what_is_wrong_is_said(run: Run, tiny_net: Path, tmp_path: Path) -> None:
    ran = run("analyze", "weights", tiny_net / "static_wi8_ai8")
    assert ran.code == 2 and "wanted   a float net" in ran.err
    ran = run("analyze", "weights", tiny_net, "--data", tmp_path / "index.csv")
    assert ran.code == 2 and "--embeddings" in ran.err
