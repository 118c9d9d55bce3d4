"""Fixtures for tests that run commands."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import save_artifact
from edge_sv.cli.app import main
from tests.cli.commands import ADA, VOICES, Ran, Run, edge_sv
from tests.cli.environments import build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """edge_sv's wheel, built from the checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(autouse=True, scope="session")
def _as_in_a_file() -> None:
    """Let tables be as wide as they are in a file, whatever terminal the tests run in.

    readline, which pytest loads, sets the variable for child processes alone: `os.environ` does not know of it.
    """
    os.environ.pop("COLUMNS", None)
    os.unsetenv("COLUMNS")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["edge-sv", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture(scope="session")
def tiny_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float net's folder with its converted form, static_wi8_ai8."""
    pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
    from tests.nets import convert, make_float_net

    folder = make_float_net(tmp_path_factory.mktemp("nets") / "tiny")
    save_artifact(folder / "static_wi8_ai8", convert(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float net's folder that was never converted."""
    pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
    from tests.nets import make_float_net

    return make_float_net(tmp_path_factory.mktemp("float") / "tiny")


@pytest.fixture(scope="session")
def voice_list(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Options for a list of all pairs of the bundled voices."""
    folder = tmp_path_factory.mktemp("voices")
    names = sorted(path.name for path in VOICES.glob("*.flac"))
    pairs = [(a, b) for number, a in enumerate(names) for b in names[number + 1 :]]
    (folder / "list.txt").write_text("".join(f"{int(a[:3] == b[:3])} {a} {b}\n" for a, b in pairs))
    with (folder / "utterances.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("utt_id", "files", "speaker"), *((name, name, name.split("_")[0]) for name in names)])
    options = ("--trials", folder / "list.txt", "--audio", VOICES)
    return [*options, "--utterances", folder / "utterances.csv", "--jobs", 1]


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The voice print of Ada, made by resnet-nano."""
    path = tmp_path_factory.mktemp("prints") / "ada.print"
    result = edge_sv("enroll", path, *ADA, "--name", "Ada")
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture
def ada_print(enrolled: Path, tmp_path: Path) -> Path:
    """A print that the test may change."""
    return Path(shutil.copy(enrolled, tmp_path / "ada.print"))


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe of rules, each the text of its keys."""

    def write(*rules: str, more: str = "") -> Path:
        path = tmp_path / "mine.toml"
        body = "".join(f"[[rules]]\n{rule}\n" for rule in rules)
        path.write_text(f'name = "mine"\ndescription = "a test"\n{body}{more}')
        return path

    return write
