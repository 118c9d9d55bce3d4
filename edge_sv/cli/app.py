"""``edge-sv``: joins the commands, turns errors into words and exit codes.

Exit codes: 0 ok, 1 bug, 2 usage, 3 bad data or file, 4 does not fit, 5 accuracy gate failed,
6 tool missing, 130 interrupted. ``verify`` adds 10: rejected.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from edge_sv.errors import EdgeSvError, UsageError, unknown_name

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

# command -> module; a module is imported when its command runs, so that `--help` stays fast.
COMMANDS = {
    "train": ("edge_sv.cli.train", "Train a speaker net from a TOML configuration."),
    "summary": ("edge_sv.cli.summary", "Print a model's layers: shapes, parameters, bits, bytes, MACs."),
    "evaluate": ("edge_sv.cli.evaluate", "Score a trial list: EER, minDCF, Cllr with intervals."),
    "convert": ("edge_sv.cli.convert", "Convert a float net to int8, check it and set its threshold."),
    "build": ("edge_sv.cli.build", "Compress, convert, check and package a model for a target."),
    "recipes": ("edge_sv.cli.recipes", "List the compression recipes and explain them."),
    "targets": ("edge_sv.cli.targets", "List the targets and their limits."),
    "enroll": ("edge_sv.cli.enroll", "Make a voice print from recordings."),
    "verify": ("edge_sv.cli.verify", "Compare a recording with a voice print."),
    "emulate": ("edge_sv.cli.emulate", "Run a package on an emulated microcontroller and count what it costs."),
    "wipe": ("edge_sv.cli.wipe", "Overwrite and remove voice prints."),
    "demo": ("edge_sv.cli.demo", "Build the bundled net, enroll a voice, verify others."),
}


class LazyCommands(TyperGroup):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Name the commands in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command:
        """Import and return a command.

        Raises:
            UsageError: there is none of that name.
        """
        if cmd_name not in COMMANDS:
            raise unknown_name("command", cmd_name, COMMANDS)
        module = importlib.import_module(COMMANDS[cmd_name][0])
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name=cmd_name)(module.command)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


app = typer.Typer(cls=LazyCommands, add_completion=False, rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def _root(
    ctx: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version and exit.")
) -> None:
    """Take speaker verification nets to microcontrollers, and prove that they still verify there."""
    if version:
        from edge_sv import __version__

        typer.echo(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def main() -> None:
    """Run ``edge-sv`` and exit with its code."""
    _show_warnings()
    try:
        code = app(standalone_mode=False)
        if code == 130:  # typer's own answer to KeyboardInterrupt
            _complain("interrupted")
    except EdgeSvError as error:
        _complain(str(error))
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted")
        code = 130
    except TyperException as error:
        _complain(str(UsageError(error.format_message(), hint="edge-sv COMMAND --help")))
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _show_warnings() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    handler.setLevel(logging.WARNING)
    logging.getLogger("edge_sv").addHandler(handler)


def _complain(text: str) -> None:
    sys.stderr.write(f"error: {text}\n")
