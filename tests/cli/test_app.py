"""`edge-sv` itself: help, version, options that all commands share, and what reaches it from a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sv.cli.app import COMMANDS, expand_argument
from edge_sv.system.version import __version__
from tests.cli.commands import ADA, ADA_LATER, Run, edge_sv, expect_error


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["analyze", "drift"]], ids=" ".join)
def test_every_command_has_help_with_the_shared_options(run: Run, command: list[str], option: str) -> None:
    ran = run(*command, option)
    assert ran.code == 0 and ran.err == ""
    assert "-h, --help" in ran.out
    if command and command != ["analyze"]:
        assert "-q, --quiet" in ran.out and "-v, --verbose" in ran.out


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(run: Run, option: str) -> None:
    assert run(option).out == f"{__version__}\n"


def test_completion_of_commands_imports_none() -> None:
    program = "import sys; from edge_sv.cli.app import main\ntry: main()\nfinally: print(sorted(sys.modules))"
    asked = {"_EDGE_SV_COMPLETE": "complete_bash", "COMP_WORDS": "edge-sv e", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True)
    *names, modules = done.stdout.splitlines()
    assert names == ["evaluate", "enroll", "emulate"]
    assert "edge_sv.cli.evaluate" not in modules


def test_completion_can_be_installed(run: Run) -> None:
    assert "--install-completion" in run("--help").out


def test_quiet_says_nothing_but_errors(enrolled: Path, ada_print: Path) -> None:
    ada_print.chmod(0o644)
    assert "warning: voice print" in edge_sv("verify", ada_print, ADA_LATER).stderr
    done = edge_sv("verify", ada_print, ADA_LATER, "--quiet")
    assert (done.returncode, done.stderr) == (0, "") and "accepted" in done.stdout
    expect_error(edge_sv("-q", "verify", enrolled, "none.wav"), 3, "none.wav")


def test_verbose_shows_where_an_error_arose() -> None:
    assert "Traceback" in edge_sv("verify", "none.print", "none.wav", "-v").stderr
    assert "Traceback" not in edge_sv("verify", "none.print", "none.wav").stderr


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("~/a.wav", "{home}/a.wav"),
        ("--out=~/p", "--out={home}/p"),
        ("~", "{home}"),
        ("a~b", "a~b"),
        ("--name=a~", "--name=a~"),
        ("~nobody-of-this-name/x", "~nobody-of-this-name/x"),
    ],
)
def test_home_is_expanded_where_a_shell_does_not(given: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert expand_argument(given) == wanted.format(home="/home/ada")


def test_names_of_any_bytes(tmp_path: Path) -> None:
    """A Latin-1 name, one that would color the terminal, one with a line end and brackets."""
    for name in (b"r\xe9sum\xe9.flac", b"\x1b[31mred.flac", b"[bold]two\nlines'.flac"):
        path = os.fsencode(tmp_path) + b"/" + name
        Path(os.fsdecode(path)).write_bytes(Path(ADA[0]).read_bytes())
        done = edge_sv("enroll", tmp_path / "a.print", os.fsdecode(path), "--force", "--json")
        assert done.returncode == 0, done.stderr
        done = edge_sv("verify", tmp_path / "a.print", os.fsdecode(path), "--json")
        assert os.fsencode(json.loads(done.stdout)["recording"]) == path
        expect_error(edge_sv("enroll", os.fsdecode(path), ADA[0]), 2, "exists")
        shown = (
            edge_sv("enroll", os.fsdecode(path), ADA[0]).stderr + edge_sv("verify", os.fsdecode(path), ADA[0]).stderr
        )
        assert "\x1b" not in shown and "two\nlines" not in shown
