"""Commands as a user runs them: the installed program, or in this process where TensorFlow takes seconds to load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_sv.system.bundled import assets_dir

VOICES = assets_dir() / "voices"
ADA = [str(VOICES / f"ada_{i}.flac") for i in (1, 2, 3)]
ADA_LATER = str(VOICES / "ada_4.flac")
BEA = str(VOICES / "bea_1.flac")
KMEANS = 'match = "*"\nweights = 4\nquantizer = "kmeans"'
EIGHT = "\nweights = 8"
"""Rules of a recipe."""


@dataclass(frozen=True)
class Ran:
    """What a command wrote and how it exited."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        values: dict[str, Any] = json.loads(self.out)
        assert values["schema_version"] == 1
        return values


Run = Callable[..., Ran]


def edge_sv(*args: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "edge_sv", *map(str, args)]
    done = subprocess.run(command, input=stdin if stdin is not None else b"", capture_output=True, timeout=600)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def expect_error(result: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """Check exit code and words of an error: no traceback; stdout is empty, or with --json states the error."""
    assert result.returncode == code, result.stderr
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr
    if "--json" in result.args:
        assert json.loads(result.stdout)["error"]["exit_code"] == code
    else:
        assert result.stdout == ""
    for text in texts:
        assert text in result.stderr
