"""``edge-sv targets``: what can be built for, and what can be emulated."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.table import Table

from edge_sv.cli.output import JsonOption, print_json, print_table
from edge_sv.package.target import Target, list_targets


def command(json_output: JsonOption = False) -> None:
    """List the targets, then the boards with their limits; `-` means open.

    A package for a family of devices runs on every board with such a core: `edge-sv emulate PACKAGE --board NAME`.
    Built for a board, it must hold the board's limits. A target of your own is a target.toml anywhere:
    `edge-sv build --target path/to/target.toml`.

    Examples:
    \b
      edge-sv targets
      edge-sv targets --json
    """
    targets = list_targets()
    if json_output:
        print_json({"targets": [target.to_dict() for target in targets]})
        return
    print_table(_families([target for target in targets if target.emulator is None]))
    typer.echo()
    print_table(_boards([target for target in targets if target.emulator is not None]))


def _families(targets: Sequence[Target]) -> Table:
    table = Table("target", "package", "description", box=None, pad_edge=False)
    for target in targets:
        table.add_row(target.name, target.package, target.description)
    return table


def _boards(targets: Sequence[Target]) -> Table:
    table = Table("board", box=None, pad_edge=False)
    for title in ("clock", "flash", "RAM"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("emulated by")
    table.add_column("description")
    for target in targets:
        table.add_row(
            target.name,
            _amount(target.clock_hz, 1_000_000, "MHz"),
            _amount(target.flash_bytes, 1024, "KB"),
            _amount(target.ram_bytes, 1024, "KB"),
            target.emulator,
            target.description,
        )
    return table


def _amount(value: int | None, unit: int, label: str) -> str:
    return "-" if value is None else f"{value / unit:,.0f} {label}"
