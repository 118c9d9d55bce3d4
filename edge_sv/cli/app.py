"""``edge-sv``: joins the commands.

Exit codes: 0 ok, 1 bug, 2 usage, 3 bad data or file, 4 does not fit, 5 accuracy gate failed,
6 tool missing, 130 interrupted. ``verify`` adds 10: rejected.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge_sv.cli.failures import report_failures
from edge_sv.cli.lazy import HELP_NAMES, LazyCommands
from edge_sv.cli.verbosity import LOGGER, QuietOption, VerboseOption, Verbosity, set_verbosity
from edge_sv.system import files
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


app = typer.Typer(cls=_Commands, rich_markup_mode=None, invoke_without_command=True, context_settings=HELP_NAMES)


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("-V", "--version", help="Print the version and exit.")] = False,
    quiet: QuietOption = False,  # noqa: ARG001
    verbose: VerboseOption = False,  # noqa: ARG001
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
    set_verbosity(Verbosity.NORMAL)
    _prepare_streams()
    arguments = [expand_argument(argument) for argument in sys.argv[1:]]
    as_json = "--json" in arguments
    sys.exit(report_failures(lambda: app(arguments, prog_name="edge-sv", standalone_mode=False), as_json=as_json))


def _prepare_streams() -> None:
    """Show names that are not UTF-8 escaped; write nowhere where the caller has closed a stream."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def expand_argument(argument: str) -> str:
    """Expand `~` at the beginning of an argument or of an option's value, where a shell leaves `--out=~/x` as it is."""
    option, equals, value = argument.partition("=")
    if option.startswith("--") and equals and value.startswith("~"):
        return f"{option}={files.expand_home(value)}"
    return files.expand_home(argument)


def _show_warnings() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lowercase("%(levelname)s: %(message)s"))
    LOGGER.handlers = [handler]


class _Lowercase(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(record.levelname, record.levelname.lower(), 1)
