"""``edge-sv``: joins the commands, turns errors into words and exit codes.

Exit codes: 0 ok, 1 bug, 2 usage, 3 bad data or file, 4 does not fit, 5 accuracy gate failed,
6 tool missing, 130 interrupted. ``verify`` adds 10: rejected.
"""

from __future__ import annotations

import logging
import os
import sys

import typer
from typer.exceptions import TyperException

from edge_sv.cli.lazy import LazyCommands
from edge_sv.errors import EdgeSvError, UsageError
from edge_sv.system.processes import BLAS_THREADS

COMMANDS = {
    "train": ("edge_sv.cli.train", "Train a speaker net from a TOML configuration."),
    "summary": ("edge_sv.cli.summary", "Print a model's layers: shapes, parameters, bits, bytes, MACs."),
    "evaluate": ("edge_sv.cli.evaluate", "Score a trial list: EER, minDCF, Cllr with intervals."),
    "convert": ("edge_sv.cli.convert", "Convert a float net to int8, check it and set its threshold."),
    "build": ("edge_sv.cli.build", "Compress, convert, check and package a model for a target."),
    "analyze": ("edge_sv.cli.analyze:app", "Look at what compression does to weights, layers, scores and embeddings."),
    "report": ("edge_sv.cli.report", "Write one page about a net and its compressed forms, with tables and plots."),
    "recipes": ("edge_sv.cli.recipes", "List the compression recipes and explain them."),
    "targets": ("edge_sv.cli.targets", "List the targets and their limits."),
    "enroll": ("edge_sv.cli.enroll", "Make a voice print from recordings."),
    "verify": ("edge_sv.cli.verify", "Compare a recording with a voice print."),
    "emulate": ("edge_sv.cli.emulate", "Run a package on an emulated microcontroller and count what it costs."),
    "wipe": ("edge_sv.cli.wipe", "Overwrite and remove voice prints."),
    "demo": ("edge_sv.cli.demo", "Build the bundled net, enroll a voice, verify others."),
}


class _Commands(LazyCommands):
    table = COMMANDS


app = typer.Typer(cls=_Commands, add_completion=False, rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def _root(
    ctx: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version and exit.")
) -> None:
    """Take speaker verification nets to microcontrollers, and prove that they still verify there."""
    if version:
        from edge_sv.system.version import __version__

        typer.echo(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def main() -> None:
    """Run ``edge-sv`` and exit with its code.

    Matrix products get one thread unless the caller says otherwise: ours are small, and threads that wait for each
    other by spinning make them ten times slower on a machine that has other work, too.
    """
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
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
