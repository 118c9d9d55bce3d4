"""Environments that hold less than a developer's: each has one lock file's packages and edge_sv's wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with edge_sv installed."""

    bin: Path

    def run(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run one of its programs; nothing of the test's own environment or checkout is importable there."""
        program, *arguments = map(str, command)
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.run(
            [self.bin / program, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, timeout=120
        )


def make_environment(name: str, wheel: Path) -> Environment:
    """Install requirements/NAME.lock, once for each state of the file, and the wheel, each time."""
    lock = REPOSITORY / "requirements" / f"{name}.lock"
    state = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = REPOSITORY / "build" / "envs" / f"{name}-{state}"
    complete = folder / "complete"
    if not complete.is_file():
        for stale in folder.parent.glob(f"{name}-*"):
            shutil.rmtree(stale)
        _check([sys.executable, "-m", "venv", folder])
        _pip(folder, "--requirement", lock)
        complete.touch()
    _pip(folder, "--force-reinstall", wheel)
    return Environment(folder / "bin")


def build_wheel(folder: Path) -> Path:
    """Build edge_sv's wheel from the checkout into folder."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--wheel-dir", folder]
    _check([sys.executable, "-m", "pip", "wheel", *options, REPOSITORY])
    (wheel,) = folder.glob("edge_sv-*.whl")
    return wheel


def _pip(folder: Path, *arguments: object) -> None:
    _check([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", *arguments])


def _check(command: list[object]) -> None:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}"
