"""How commands speak: results on stdout (one JSON document with ``--json``), everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from edge_sv.cli.verbosity import Verbosity, verbosity
from edge_sv.errors import printable
from edge_sv.system.figures import figure_format

SCHEMA_VERSION = 1
_IN_A_FILE = 120
"""Letters of a line where nothing states how wide it is."""
_FOLDED = 24
"""Letters of a word that may be folded into the next line: longer ones are names and paths."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]


class _Console(Console):
    """Shows text as it is: a bracket in a file's name is no markup, and its control characters do nothing."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text that prints, of one line or several."""
        return super().render_str("\n".join(map(printable, text.split("\n"))), **options)


def plot_option(shows: str) -> Any:
    """Make a command's ``--plot``.

    Args:
        shows: what the plot shows, for the help.
    """
    text = f"{shows} svg, png or pdf by the suffix."
    return typer.Option("--plot", metavar="FILE", callback=_check_plot, help=text, show_default=False)


def _check_plot(path: Path | None) -> Path | None:
    if path is not None:
        figure_format(path)
    return path


def err_console() -> Console:
    """Console for progress and logs: stderr; plain when not a terminal or when NO_COLOR is set."""
    return _Console(stderr=True, highlight=False, markup=False, quiet=verbosity() is Verbosity.QUIET)


def out_console() -> Console:
    """Console for results on stdout; as wide as its tables need when not a terminal and `COLUMNS` is no width."""
    console = _Console(highlight=False, markup=False)
    columns = os.environ.get("COLUMNS", "")
    known = columns.isdecimal() or console.is_terminal
    return console if known and console.width > 0 else _Console(highlight=False, markup=False, width=_IN_A_FILE)


def print_table(table: Table) -> None:
    """Print a table on stdout: cells fold where it is narrow, and where not even that fits, a row becomes lines."""
    console = out_console()
    for column in table.columns:
        column.overflow, column.no_wrap = "fold", False
    if _least_width(table) <= console.width:
        console.print(table)
        return
    for line in _as_lines(table):
        console.print(line, soft_wrap=True)


def _least_width(table: Table) -> int:
    """Return the width at which no word of a header, and no cell of digits, is broken."""
    cells = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    words = [max((len(word) for cell in column for word in cell.split()), default=0) for column in cells]
    between = 3 if table.box else 2
    return sum(min(words_of_column, _FOLDED) for words_of_column in words) + between * len(words)


def _as_lines(table: Table) -> Iterator[str]:
    if table.title:
        yield str(table.title)
    headers = [str(column.header) for column in table.columns]
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    if table.show_footer:
        rows.append(tuple(column.footer for column in table.columns))
    for row in rows:
        first, *rest = (str(cell) for cell in row)
        yield f"{headers[0]} {first}".strip()
        for header, cell in zip(headers[1:], rest, strict=True):
            if cell:
                yield f"  {header} {cell}" if header else f"  {cell}"


def print_json(document: Mapping[str, Any]) -> None:
    """Print the command's one JSON document, with its ``schema_version`` first."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=2, ensure_ascii=False)
    sys.stdout.write(text.encode(errors="backslashreplace").decode() + "\n")  # a name's bytes that are not UTF-8


def progress_bar() -> Progress:
    """Progress bar on stderr, silent when stderr is not a terminal."""
    console = err_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or verbosity() is Verbosity.QUIET,
    )


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Print aligned label/value lines on stdout."""
    pairs = list(rows)
    width = max((len(label) for label, _ in pairs), default=0)
    for label, value in pairs:
        sys.stdout.write(f"{label:<{width}}  {printable(value)}\n")
