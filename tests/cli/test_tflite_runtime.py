"""Devices that still have tflite-runtime, and no LiteRT, verify with it: the fallback, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sv.system.bundled import assets_dir
from tests.cli.environments import Environment, make_environment

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux",
    reason="tflite-runtime 2.14 and this lock file are for Python 3.11 on Linux",
)

VOICES = assets_dir() / "voices"
MAX_SCORE_DIFFERENCE = 0.02
"""The two runtimes round int8 differently by some LSB; the scores differ by less than this."""


@pytest.fixture(scope="module")
def old_device(wheel: Path) -> Environment:
    return make_environment("tflite-runtime", wheel)


@pytest.fixture(scope="module")
def print_of_ada(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A print made with LiteRT, in the tests' own environment."""
    path = tmp_path_factory.mktemp("prints") / "ada.print"
    recordings = [str(VOICES / f"ada_{i}.flac") for i in (1, 2, 3)]
    subprocess.run([sys.executable, "-m", "edge_sv", "enroll", str(path), *recordings], check=True, timeout=120)
    return path


def test_only_tflite_runtime_is_there(old_device: Environment, tmp_path: Path) -> None:
    found = "import importlib.util as u; print([m for m in ('ai_edge_litert', 'tensorflow') if u.find_spec(m)])"
    assert old_device.run("python", "-c", found, cwd=tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(("recording", "accepted"), [("ada_4.flac", True), ("bea_1.flac", False)])
def test_decides_like_litert(
    old_device: Environment, print_of_ada: Path, tmp_path: Path, recording: str, accepted: bool
) -> None:
    arguments = ["verify", str(print_of_ada), str(VOICES / recording), "--json"]
    old = old_device.run("edge-sv", *arguments, cwd=tmp_path)
    new = subprocess.run([sys.executable, "-m", "edge_sv", *arguments], capture_output=True, text=True, timeout=120)
    assert old.returncode == new.returncode == (0 if accepted else 10), old.stderr
    old_score, new_score = (json.loads(result.stdout)["score"] for result in (old, new))
    assert old_score == pytest.approx(new_score, abs=MAX_SCORE_DIFFERENCE)


def test_enrolls(old_device: Environment, tmp_path: Path) -> None:
    result = old_device.run("edge-sv", "enroll", "ada.print", VOICES / "ada_1.flac", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "ada.print").is_file()
