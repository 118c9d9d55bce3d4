"""Groups of commands whose modules are imported when a command runs, so that `--help` stays fast."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

import typer
from typer.core import TyperGroup
from typer.models import ArgumentInfo, OptionInfo

from edge_sv.cli.verbosity import shared_options
from edge_sv.errors import unknown_name

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter
    from typer._click.shell_completion import CompletionItem

HELP_NAMES = {"help_option_names": ["-h", "--help"]}

Table = Mapping[str, tuple[str, str]]
"""Command -> where it is, `module` or `module:name` (default `command`), and a line about it."""


class LazyCommands(TyperGroup):
    """Imports a command's module only when that command is asked for; a group sets `table`."""

    table: ClassVar[Table] = {}

    def list_commands(self, ctx: Context) -> list[str]:
        """Name the commands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: Context, cmd_name: str) -> Command:
        """Import and return a command.

        Raises:
            UsageError: there is none of that name.
        """
        if cmd_name not in self.table:
            raise unknown_name("command", cmd_name, self.table)
        found = load_command(self.table, cmd_name)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        _leave_reading_to_readers(found)
        single.command(name=cmd_name, context_settings=HELP_NAMES)(found)
        command = typer.main.get_command(single)
        command.params += shared_options()
        return command

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing any."""
        from typer._click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=text) for name, (_, text) in self.table.items() if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


def _leave_reading_to_readers(command: Callable[..., object]) -> None:
    """Take the parser's check of permissions from a command: who reads a file says what is wrong with it, and why."""
    command.__annotations__ = get_type_hints(command, include_extras=True)
    for hint in command.__annotations__.values():
        for note in getattr(hint, "__metadata__", ()):
            if isinstance(note, OptionInfo | ArgumentInfo):
                note.readable = False


def load_command(table: Table, name: str) -> Any:
    """Import what a command runs: a function, or the Typer of a group of commands."""
    module, _, attribute = table[name][0].partition(":")
    return getattr(importlib.import_module(module), attribute or "command")
