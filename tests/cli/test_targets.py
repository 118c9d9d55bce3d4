"""`edge-sv targets` as a user runs it."""

from __future__ import annotations

from edge_sv.package.target import list_targets
from tests.cli.commands import Run


def test_lists_families_and_boards(run: Run) -> None:
    ran = run("targets")
    assert ran.code == 0
    for target in list_targets():
        assert target.name in ran.out
    assert "64 MHz" in ran.out and "256 KB" in ran.out


def test_json_has_every_limit(run: Run) -> None:
    stated = {target["name"]: target for target in run("targets", "--json").document["targets"]}
    assert set(stated) == {target.name for target in list_targets()}
    assert stated["nrf52840"]["ram_bytes"] == 256 * 1024
