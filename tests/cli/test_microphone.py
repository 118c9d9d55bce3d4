"""`--mic`, of enroll and verify."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli.commands import Run, edge_sv, expect_error


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="sounddevice is installed here")
def test_microphone_without_sounddevice(enrolled: Path, tmp_path: Path) -> None:
    expect_error(edge_sv("verify", enrolled, "--mic", "3"), 6, "pip install sounddevice")
    expect_error(edge_sv("enroll", tmp_path / "me.print", "--mic", "3"), 6, "pip install sounddevice")
    expect_error(edge_sv("verify", enrolled, "--mic", "0"), 2, "cannot record 0 s")


def test_a_length_is_refused_before_anybody_is_asked_to_speak(run: Run, enrolled: Path) -> None:
    for seconds in ("0", "-1", "nan", "1e9"):
        ran = run("verify", enrolled, "--mic", seconds)
        assert ran.code == 2 and ran.err.startswith("error: cannot record")
