"""`edge-sv analyze drift` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Run
from tests.cli.plots import texts

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")


def test_drift(run: Run, tiny_net: Path, voice_list: list[object], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
    ran = run("analyze", "drift", tiny_net, "--against", tiny_net, *voice_list, "--json", "--plot", tmp_path / "d.svg")
    values = ran.document
    (model,) = values["models"]
    assert ran.code == 0
    assert (model["recipe"], model["threshold_source"], values["trials"]) == ("static_wi8_ai8", "eer", 36)
    assert abs(model["drift"]["mean"]) < 0.02 and model["drift"]["correlation"] > 0.98
    assert model["drift"]["mean_ci"] is not None and model["drift"]["flips"]["trials"] == 36
    assert "static_wi8_ai8" in texts(tmp_path / "d.svg")
    ran = run("analyze", "drift", tiny_net, "--against", tiny_net, *voice_list, "--threshold", "0.5")
    assert ran.code == 0 and "0.500, as given" in ran.out and "new misses" in ran.out


def test_what_is_wrong_is_said(run: Run, tiny_net: Path, voice_list: list[object], tmp_path: Path) -> None:
    ran = run("analyze", "drift", tiny_net, "--against", tiny_net / "static_wi8_ai8", *voice_list)
    assert ran.code == 2 and "wanted   a float net" in ran.err
    (tmp_path / "empty.txt").write_text("")
    ran = run(
        "analyze", "drift", tiny_net, "--against", tiny_net, "--trials", tmp_path / "empty.txt", "--audio", tmp_path
    )
    assert ran.code == 3 and "is empty" in ran.err
