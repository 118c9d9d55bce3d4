"""`scripts/test-slow` leaves out what has passed, and nothing else."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "test-slow"
TESTS = """
import pathlib, pytest
BROKEN = pathlib.Path(__file__).with_name("broken")

@pytest.fixture
def leaves_a_mess():
    yield
    assert not BROKEN.exists()

def test_good():
    with open(BROKEN.with_name("runs"), "a") as file:
        print("good", file=file)

def test_in_its_call():
    assert not BROKEN.exists()

def test_in_its_teardown(leaves_a_mess):
    pass
"""


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("test_slow_script", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_only_what_passed_whole_is_left_out(runner: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "test_three.py").write_text(TESTS, "utf-8")
    (tmp_path / "broken").touch()

    def run() -> list[str]:
        passed = runner.Passed(tmp_path / "passed.txt")
        pytest.main(["-q", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)], plugins=[passed])
        return sorted(name.rpartition("::")[2] for name in passed.names)

    assert run() == ["test_good"]
    (tmp_path / "broken").unlink()
    assert run() == ["test_good", "test_in_its_call", "test_in_its_teardown"]
    assert run() == ["test_good", "test_in_its_call", "test_in_its_teardown"]
    assert (tmp_path / "runs").read_text() == "good\n"


def test_another_state_of_the_sources_starts_anew(runner: ModuleType, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "edge_sv").mkdir()
    (tmp_path / "docs").mkdir()
    states = [runner.sources_sha256(tmp_path)]
    for path, text in [("edge_sv/a.py", "1"), ("edge_sv/a.py", "2"), ("edge_sv/b.py", "2"), ("pyproject.toml", "")]:
        (tmp_path / path).write_text(text)
        states.append(runner.sources_sha256(tmp_path))
    assert len(set(states)) == len(states)
    (tmp_path / "docs" / "page.md").write_text("another page")
    assert runner.sources_sha256(tmp_path) == states[-1]
