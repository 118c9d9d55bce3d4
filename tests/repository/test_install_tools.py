"""scripts/install-tools where it may not install: it says what to do, and does not fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "install-tools"


def _run(folder: Path, *, user: int, tools: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    for name in ("bash", "env", "grep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    programs = {"id": f"echo {user}", **dict.fromkeys(tools, "echo /"), "apt-get": "echo must not run >&2; exit 1"}
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return subprocess.run([str(SCRIPT)], env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


def test_without_root_it_names_the_packages_and_goes_on(tmp_path: Path) -> None:
    done = _run(tmp_path, user=1000, tools=("gcc", "g++"))
    assert done.returncode == 0
    assert "must not run" not in done.stderr
    assert "sudo apt-get install" in done.stderr
    for package in ("qemu-system-arm", "gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "clang-tidy", "cppcheck"):
        assert package in done.stderr
    assert " g++ " not in done.stderr, "what is there is not asked for"


def test_a_failing_installation_is_told_and_goes_on(tmp_path: Path) -> None:
    done = _run(tmp_path, user=0, tools=("gcc", "g++"))
    assert done.returncode == 0
    assert "note: qemu-system-arm could not be installed" in done.stderr
