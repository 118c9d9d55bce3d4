"""`edge-sv convert` as people and scripts meet it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import edge_sv


def test_convert_needs_a_float_net_and_data(tiny_net: Path, tmp_path: Path) -> None:
    done = edge_sv("convert", tiny_net / "static_wi8_ai8", "--data", tmp_path / "index.csv")
    assert done.returncode == 2 and "wanted   a float net" in done.stderr
    done = edge_sv("convert", tiny_net, "--data", tmp_path / "index.csv")
    assert done.returncode == 3 and "index.csv" in done.stderr
