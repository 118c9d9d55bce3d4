"""`edge-sv wipe` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import edge_sv, expect_error


def test_wipe_removes_prints_and_says_which(ada_print: Path) -> None:
    result = edge_sv("wipe", ada_print, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["wiped"] == [str(ada_print)]
    assert not ada_print.exists()


def test_wipe_removes_damaged_prints(ada_print: Path) -> None:
    ada_print.write_bytes(ada_print.read_bytes()[:40])
    assert edge_sv("wipe", ada_print).returncode == 0
    assert not ada_print.exists()


def test_wipe_touches_nothing_when_one_file_is_no_print(ada_print: Path, tmp_path: Path) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_text("Dear diary")
    expect_error(edge_sv("wipe", ada_print, diary), 3, "diary.txt is not a voice print", "nothing was wiped")
    assert diary.read_text() == "Dear diary"
    assert ada_print.exists()


def test_wipe_of_a_missing_print(tmp_path: Path) -> None:
    expect_error(edge_sv("wipe", tmp_path / "none.print"), 3, "none.print")
