"""Ctrl-C from the first moment on: words, a document with --json, and exit code 130."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import edge_sv.cli.app
from edge_sv.cli import entry

INTERRUPTED = """
import builtins, sys
load = builtins.__import__
def interrupt(name, *arguments):
    if name == "typer" and not seen:
        seen.append(name)
        raise KeyboardInterrupt
    return load(name, *arguments)
seen = []
builtins.__import__ = interrupt
from edge_sv.cli.entry import main
main()
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_while_the_program_is_loaded(options: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, "targets", *options], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")
    if options:
        assert json.loads(done.stdout)["error"]["kind"] == "interrupted"
    else:
        assert done.stdout == ""


def test_it_runs_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(edge_sv.cli.app, "main", lambda: ran.append(1))
    entry.main()
    assert ran == [1]


def test_little_is_loaded_before_it() -> None:
    program = "import sys, edge_sv.cli.entry; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"typer", "rich", "numpy", "logging"} & set(done.stdout.split())
