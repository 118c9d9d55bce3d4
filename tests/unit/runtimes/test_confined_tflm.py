"""A process for TensorFlow Lite Micro: it answers, is given up when it hangs, and reaches nothing of this computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.errors import DataError
from edge_sv.runtimes import confined_tflm
from edge_sv.runtimes.confined_tflm import run_confined
from edge_sv.system.sandbox import is_strict

START = "import sys\nfrom edge_sv.runtimes.confined_tflm import confine_here\nrequest = sys.stdin.buffer.read()\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that a test writes."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "asked.py"


def test_it_answers(module: Path) -> None:
    module.write_text(f"{START}confine_here()\nsys.stdout.buffer.write(request[::-1])")
    assert run_confined("asked", b"abc") == b"cba"


def test_its_last_words_are_the_reason(module: Path) -> None:
    module.write_text(f"{START}sys.exit('first\\nno such operator')")
    with pytest.raises(DataError, match="does not run in TensorFlow Lite Micro") as caught:
        run_confined("asked", b"")
    assert caught.value.details["got"] == "no such operator"
    module.write_text(f"{START}sys.exit(3)")
    with pytest.raises(DataError) as caught:
        run_confined("asked", b"")
    assert caught.value.details["got"] == "the process exited without output"


def test_one_that_does_not_end_is_given_up(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined_tflm, "TIMEOUT_S", 0.5)
    module.write_text(f"{START}while True: pass")
    with pytest.raises(DataError, match="does not finish"):
        run_confined("asked", b"")


@pytest.mark.skipif(not is_strict(), reason="this kernel has no Landlock (Linux 5.13 and later)")
@pytest.mark.parametrize("act", ["open({secret!r}).read()", "open({made!r}, 'w')", "__import__('os').listdir('/')"])
def test_it_reaches_no_file(module: Path, tmp_path: Path, act: str) -> None:
    (tmp_path / "secret").write_text("private")
    asked = act.format(secret=str(tmp_path / "secret"), made=str(tmp_path / "made"))
    module.write_text(f"{START}confine_here()\n{asked}")
    with pytest.raises(DataError) as caught:
        run_confined("asked", b"")
    assert "Permission denied" in caught.value.details["got"] and not (tmp_path / "made").exists()
