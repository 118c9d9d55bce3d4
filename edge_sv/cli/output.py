"""How commands speak: results on stdout (one JSON document with ``--json``), everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SCHEMA_VERSION = 1

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]


def err_console() -> Console:
    """Console for progress and logs: stderr; plain when not a terminal or when NO_COLOR is set."""
    return Console(stderr=True, highlight=False)


def out_console() -> Console:
    """Console for results on stdout; as wide as its tables need when not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=120)


def print_json(document: Mapping[str, Any]) -> None:
    """Print the command's one JSON document, with its ``schema_version`` first."""
    json.dump({"schema_version": SCHEMA_VERSION, **document}, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


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
        disable=not console.is_terminal,
    )


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Print aligned label/value lines on stdout."""
    pairs = list(rows)
    width = max((len(label) for label, _ in pairs), default=0)
    for label, value in pairs:
        sys.stdout.write(f"{label:<{width}}  {value}\n")
