"""How an allocation of bits is printed: a row for each layer, its bits among those it could have."""

from __future__ import annotations

from rich.table import Table

from edge_sv.cli.output import out_console, print_table
from edge_sv.recipes.bit_allocation import BitAllocation


def show_allocation(allocation: BitAllocation) -> None:
    """Print the bits of each layer and what they cost."""
    widths = sorted({choice.bits for layer in allocation.layers for choice in layer.choices})
    table = Table("layer", *(f"{bits} bits" for bits in widths), "bits", "bytes")
    for column in table.columns[1:]:
        column.justify = "right"
    for layer in allocation.layers:
        losses = {choice.bits: f"{choice.sensitivity:.2e}" for choice in layer.choices}
        chosen = layer.chosen
        table.add_row(layer.layer, *(losses.get(bits, "-") for bits in widths), str(chosen.bits), f"{chosen.bytes:,}")
    console = out_console()
    print_table(table)
    console.print(f"Sensitivity by {allocation.method}.", markup=False, soft_wrap=True)
    console.print(
        f"{allocation.describe()}, of them {allocation.fixed:,} without a choice.", markup=False, soft_wrap=True
    )
