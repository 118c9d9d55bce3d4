"""``edge-sv targets``: what can be built for."""

from __future__ import annotations

from rich.table import Table

from edge_sv.cli.output import JsonOption, out_console, print_json
from edge_sv.target import list_targets


def command(json_output: JsonOption = False) -> None:
    """List the targets and their limits; `-` means open.

    A target of your own is a target.toml anywhere: `edge-sv build --target path/to/target.toml`.

    Examples:
    \b
      edge-sv targets
      edge-sv targets --json
    """
    targets = list_targets()
    if json_output:
        print_json({"targets": [target.to_dict() for target in targets]})
        return
    table = Table("target", "package", "cpu", "clock", "flash", "RAM", "description", box=None, pad_edge=False)
    for target in targets:
        table.add_row(
            target.name,
            target.package,
            target.cpu or "-",
            _amount(target.clock_hz, 1_000_000, "MHz"),
            _amount(target.flash_bytes, 1024, "KB"),
            _amount(target.ram_bytes, 1024, "KB"),
            target.description,
        )
    out_console().print(table)


def _amount(value: int | None, unit: int, label: str) -> str:
    return "-" if value is None else f"{value / unit:,.0f} {label}"
