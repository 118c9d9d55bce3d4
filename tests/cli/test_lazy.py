"""Commands are imported when they run, and named in time when there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import typer
from typer.testing import CliRunner

from edge_sv.cli.app import COMMANDS
from edge_sv.cli.lazy import LazyCommands, Table, load_command
from edge_sv.errors import UsageError
from tests.cli.commands import BEA, Run


def test_every_command_of_the_table_can_be_imported() -> None:
    for name in COMMANDS:
        found = load_command(COMMANDS, name)
        assert isinstance(found, typer.Typer) or found.__doc__, name


def test_help_imports_no_command() -> None:
    program = "import sys; from edge_sv.cli.app import main\ntry: main()\nfinally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1]
    assert "'edge_sv.cli.app'" in modules
    for name in ("numpy", *(module.partition(":")[0] for module, _ in COMMANDS.values())):
        assert f"'{name}'" not in modules, name


def test_a_group_runs_its_commands() -> None:
    class Group(LazyCommands):
        table: ClassVar[Table] = {"join": ("shlex:join", "Join words.")}  # any function of the standard library

    app = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    listed = CliRunner().invoke(app, ["--help"])
    assert "join  Join words." in listed.output
    with pytest.raises(UsageError, match="unknown command 'jion'"):
        CliRunner().invoke(app, ["jion"], catch_exceptions=False, standalone_mode=False)


def test_a_file_that_may_not_be_read_is_its_reader_s_to_refuse(
    run: Run, enrolled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and the system's reason, not the parser's 2: also where tests run as root, who may read all."""
    may_read = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **more: mode != os.R_OK and may_read(path, mode, **more))
    assert run("verify", enrolled, BEA).code == 10
