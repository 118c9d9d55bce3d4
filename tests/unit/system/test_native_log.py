"""What native code writes to file descriptor 2 is held back, and the descriptor is as it was afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sv.system.native_log import VERBOSE, held_native_log


def write(text: bytes) -> None:
    """Write as C++ does: past Python's own streams."""
    os.write(2, text)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VERBOSE, raising=False)


def test_it_is_held_back_and_at_hand(capfd: pytest.CaptureFixture[str]) -> None:
    write(b"before ")
    with held_native_log() as text:
        assert text() == ""
        write(b"inside")
        assert text() == "inside"
        write(b" and \xff more")
        assert text() == "inside and \ufffd more"
    write(b"after")
    assert capfd.readouterr().err == "before after"


def test_an_error_in_the_block_gives_the_descriptor_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), held_native_log() as text:
        write(b"why")
        raise ValueError(f"inside: {text()}")
    write(b"after")
    assert capfd.readouterr().err == "after"


def test_blocks_nest(capfd: pytest.CaptureFixture[str]) -> None:
    with held_native_log() as outer:
        write(b"one ")
        with held_native_log() as inner:
            write(b"two")
            assert inner() == "two"
        write(b"three")
        assert outer() == "one three"
    assert capfd.readouterr().err == ""


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with held_native_log():
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_everything_comes_through_for_debugging(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VERBOSE, "1")
    with held_native_log() as text:
        write(b"inside")
        assert text() == ""
    assert capfd.readouterr().err == "inside"


def test_a_process_without_stderr_works_all_the_same() -> None:
    """As some services start programs: file descriptor 2 is closed."""
    program = "from edge_sv.system.native_log import held_native_log\nwith held_native_log(): print('done')"
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n")
