"""`-q` and `-v`: what every command says on stderr besides its errors."""

from __future__ import annotations

import logging
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typer._click import Parameter

LOGGER = logging.getLogger("edge_sv")


class Verbosity(Enum):
    """How much is said on stderr."""

    QUIET = logging.ERROR
    """Errors alone: no progress, notes or warnings."""
    NORMAL = logging.WARNING
    VERBOSE = logging.DEBUG
    """Log lines, and where in the code an error arose."""


_chosen = Verbosity.NORMAL


def verbosity() -> Verbosity:
    """Return what the command line asks for."""
    return _chosen


def set_verbosity(chosen: Verbosity) -> None:
    """Choose for this process."""
    global _chosen
    _chosen = chosen
    LOGGER.setLevel(chosen.value)


def shared_options() -> list[Parameter]:
    """Make the options that every command has beside its own."""
    holder = typer.Typer(add_completion=False)
    holder.command()(_options)
    return [option for option in typer.main.get_command(holder).params if option.name in ("quiet", "verbose")]


def _be_quiet(wanted: bool) -> None:
    if wanted:
        set_verbosity(Verbosity.QUIET)


def _be_verbose(wanted: bool) -> None:
    if wanted:
        set_verbosity(Verbosity.VERBOSE)


QuietOption = Annotated[
    bool,
    typer.Option("-q", "--quiet", callback=_be_quiet, expose_value=False, help="Say nothing but errors on stderr."),
]
VerboseOption = Annotated[
    bool,
    typer.Option("-v", "--verbose", callback=_be_verbose, expose_value=False, help="Log, and show where errors arise."),
]


def _options(quiet: QuietOption = False, verbose: VerboseOption = False) -> None:
    """Carry the options."""
