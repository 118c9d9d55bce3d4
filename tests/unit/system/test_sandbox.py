"""A confined program computes and answers, and does nothing else to the computer it runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_sv.system.sandbox import SYSTEM_FOLDERS, Limits, clean_environment, confined_command, is_strict

MEMORY = 1 << 30
needs_landlock = pytest.mark.skipif(not is_strict(), reason="this kernel has no Landlock (Linux 5.13 and later)")


def _run(folder: Path, script: str, **limits: object) -> subprocess.CompletedProcess[str]:
    given = {"memory_bytes": MEMORY, "read": SYSTEM_FOLDERS, "write": (str(folder), "/dev/null"), **limits}
    command = confined_command(["/bin/sh", "-c", script], Limits(**given))
    return subprocess.run(
        command, cwd=folder, env=clean_environment(folder), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("private")
    return tmp_path / "own"


def test_a_program_works_in_its_folder_and_its_exit_code_comes_back(folder: Path) -> None:
    done = _run(folder, "echo 123 > made; cat made; exit 7", file_bytes=1 << 20)
    assert (done.stdout, done.returncode) == ("123\n", 7)


@needs_landlock
@pytest.mark.parametrize(
    "script",
    [
        "cat ../secret",
        "echo x > ../secret",
        "rm ../secret",
        "mv ../secret .",
        "ln ../secret link && cat link",
        "ln -s ../secret link && cat link",
        "ls ..",
        "touch ../made",
        "mkdir /tmp/edge-sv-test-made",
        "kill -0 $PPID",
    ],
)
def test_all_else_is_refused(folder: Path, script: str) -> None:
    done = _run(folder, script, file_bytes=1 << 20)
    assert done.returncode != 0 and "private" not in done.stdout
    assert (folder.parent / "secret").read_text() == "private"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["own", "secret"]


def test_files_and_memory_have_limits(folder: Path) -> None:
    assert _run(folder, "head -c 2000000 /usr/bin/env > big", file_bytes=1000).returncode != 0
    assert (folder / "big").stat().st_size <= 1000
    hungry = f"{sys.base_prefix}/bin/python3 -I -S -c 'bytearray(1 << 30)'"
    done = _run(folder, hungry, read=(*SYSTEM_FOLDERS, sys.base_prefix), memory_bytes=200 << 20)
    assert "MemoryError" in done.stderr


def test_the_environment_holds_nothing_of_the_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SV_TOKEN", "secret")
    done = _run(folder, "env")
    assert "secret" not in done.stdout and f"HOME={folder}" in done.stdout


def test_a_program_that_is_not_there_is_an_error(folder: Path) -> None:
    done = subprocess.run(
        confined_command(["/no/such/program"], Limits(memory_bytes=MEMORY)), capture_output=True, check=False
    )
    assert done.returncode != 0 and b"FileNotFoundError" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells a process that its parent has ended")
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    endless = "import os, sys; print(os.getpid(), flush=True)\nwhile True: pass"
    limits = Limits(1 << 32, read=("/",))
    start = (
        "import subprocess; from edge_sv.system.sandbox import Limits, confined_command\n"
        f"subprocess.run(confined_command([{sys.executable!r}, '-c', {endless!r}], {limits!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("it went on")
