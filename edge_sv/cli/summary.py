"""``edge-sv summary``: what a model is made of."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from edge_sv.analysis.flash import SizeTable
from edge_sv.analysis.summary import ModelSummary, summarize_model
from edge_sv.cli.output import JsonOption, print_json, print_rows, print_table
from edge_sv.errors import UsageError

COLUMNS = ("weights", "codebook", "scales", "biases", "other")
FORMS: dict[str, str] = {"tflite": "as a .tflite", "lut": "as a .tflite with lookup tables", "cortex-m": "as C source"}


def command(
    model: Annotated[str, typer.Argument(help="A bundled net's or preset's name, a folder or a .tflite file.")],
    float_net: Annotated[
        bool, typer.Option("--float", help="The float net of a folder that holds both it and its converted form.")
    ] = False,
    flash: Annotated[
        bool, typer.Option("--flash", help="Of each layer of a converted model: what lies in flash, in each form.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Print a model's layers: output shape, parameters, bits, bytes, MACs; then the totals.

    Of a converted model also what lies in flash, in each form that it can take: weights or indices, codebooks, scales,
    biases.

    MACs are multiply-accumulates of one inference. Those of a second of speech count each frame once; segments that
    overlap by half cost twice that.

    \b
    Examples:
      edge-sv summary resnet-130k
      edge-sv summary ecapa-512 --json
      edge-sv summary resnet-nano --flash
    """
    summary = summarize_model(model, float_net=float_net)
    if json_output:
        print_json(summary.to_dict())
        return
    if flash:
        _print_flash(summary)
        return
    print_table(_layer_table(summary))
    typer.echo()
    if summary.flash:
        print_table(_form_table(summary))
        typer.echo()
    print_rows(_totals(summary))


def _layer_table(summary: ModelSummary) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("kind")
    for title in ("output", "parameters", "bits", "bytes", "MACs"):
        table.add_column(title, justify="right", no_wrap=True)
    for layer in summary.layers:
        table.add_row(
            layer.name,
            layer.kind,
            "x".join(str(size) for size in layer.output_shape) or "1",
            *map(_count, (layer.parameters, layer.weight_bits, layer.weight_bytes, layer.macs)),
        )
    return table


def _print_flash(summary: ModelSummary) -> None:
    if not summary.flash:
        raise UsageError(
            f"'{summary.name}' is not converted: nothing of it lies in flash", hint="edge-sv convert it first"
        )
    for table in summary.flash.values():
        print_table(_bytes_table(table))
        typer.echo()
    print_rows(_totals(summary))


def _bytes_table(table: SizeTable) -> Table:
    """Make a table of each layer's bytes; the totals stand below it."""
    rows = Table(box=None, pad_edge=False, show_footer=True)
    rows.add_column(FORMS[table.form], footer="total", overflow="fold")
    rows.add_column("bits", justify="right")
    for column in COLUMNS:
        rows.add_column(column, footer=_count(table.sum(column)), justify="right", no_wrap=True)
    rows.add_column("bytes", footer=f"{table.total:,}", justify="right", no_wrap=True)
    for layer in table.layers:
        counts = [getattr(layer, column) for column in COLUMNS]
        rows.add_row(layer.name, _count(layer.bits), *map(_count, counts), _count(layer.total))
    if table.structure:
        rows.add_row("structure", *("-" for _ in range(len(COLUMNS) + 1)), _count(table.structure))
    return rows


def _form_table(summary: ModelSummary) -> Table:
    rows = Table(box=None, pad_edge=False)
    rows.add_column("in flash")
    for title in (*COLUMNS, "structure", "bytes"):
        rows.add_column(title, justify="right", no_wrap=True)
    for form, table in summary.flash.items():
        counts = [*(table.sum(column) for column in COLUMNS), table.structure, table.total]
        rows.add_row(FORMS[form], *map(_count, counts))
    return rows


def _count(value: int) -> str:
    return f"{value:,}" if value else "-"


def _totals(summary: ModelSummary) -> list[tuple[str, str]]:
    rows = [
        ("model", f"{summary.name}, {summary.precision}, {summary.frames} frames"),
        ("parameters", f"{summary.parameters:,}"),
        ("weights", f"{summary.weight_bytes:,} bytes"),
    ]
    if summary.file_bytes is not None:
        rows.append(("file", f"{summary.file_bytes:,} bytes"))
    if summary.sizes is not None:
        parts = {"net": "model_bytes", "cohort": "cohort_bytes", "code (estimate)": "code_bytes_estimate"}
        told = ", ".join(f"{name} {summary.sizes[key]:,}" for name, key in parts.items() if summary.sizes[key])
        rows.append(("package", f"{summary.sizes['flash_bytes']:,} bytes of flash: {told}"))
    rows.append(("MACs", f"{summary.macs:,} an inference"))
    if summary.macs_per_second is not None:
        rows.append(("", f"{summary.macs_per_second:,} a second of speech"))
    return rows
