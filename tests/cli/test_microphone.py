"""`--mic`, of enroll and verify."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli.commands import edge_sv, expect_error


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="sounddevice is installed here")
def test_microphone_without_sounddevice(enrolled: Path, tmp_path: Path) -> None:
    expect_error(edge_sv("verify", enrolled, "--mic", "3"), 6, "pip install sounddevice")
    expect_error(edge_sv("enroll", tmp_path / "me.print", "--mic", "3"), 6, "pip install sounddevice")
    expect_error(edge_sv("verify", enrolled, "--mic", "0"), 2, "cannot record 0 s")
