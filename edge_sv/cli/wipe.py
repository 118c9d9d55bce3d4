"""``edge-sv wipe``: destroy voice prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_sv.cli.output import JsonOption, print_json, print_rows
from edge_sv.errors import DataError
from edge_sv.verification.voice_print import is_print, locked_print, wipe_print


def command(
    print_files: Annotated[list[Path], typer.Argument(metavar="PRINT...", help="The voice prints to destroy.")],
    json: JsonOption = False,
) -> None:
    """Overwrite voice prints with zeros and remove them; damaged ones too. Nothing else is ever touched.

    Copies that a backup, a snapshot, a journal or a flash drive's wear levelling keeps are beyond a program's reach.

    \b
    Examples:
      edge-sv wipe ada.print
      edge-sv wipe prints/*.print --json
    """
    for path in print_files:
        if not is_print(path):
            raise DataError(f"{path} is not a voice print", hint="nothing was wiped")
    for path in dict.fromkeys(print_files):
        with locked_print(path):
            wipe_print(path)
    if json:
        print_json({"wiped": [str(path) for path in print_files]})
    else:
        print_rows([("wiped", str(path)) for path in print_files])
