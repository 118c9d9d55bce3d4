"""``edge-sv summary``: what a model is made of."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from edge_sv.cli.output import JsonOption, out_console, print_json, print_rows
from edge_sv.summary import ModelSummary, summarize_model


def command(
    model: Annotated[str, typer.Argument(help="A bundled net's or preset's name, a folder or a .tflite file.")],
    float_net: Annotated[
        bool, typer.Option("--float", help="The float net of a folder that holds both it and its converted form.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Print a model's layers: output shape, parameters, bits, bytes, MACs; then the totals.

    MACs are multiply-accumulates of one inference. Those of a second of speech count each frame once; segments that
    overlap by half cost twice that.

    \b
    Examples:
      edge-sv summary resnet-130k
      edge-sv summary ecapa-512 --json
    """
    summary = summarize_model(model, float_net=float_net)
    if json_output:
        print_json(summary.to_dict())
        return
    out_console().print(_layer_table(summary))
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
            *(f"{value:,}" if value else "-" for value in (layer.parameters, layer.weight_bits)),
            *(f"{value:,}" if value else "-" for value in (layer.weight_bytes, layer.macs)),
        )
    return table


def _totals(summary: ModelSummary) -> list[tuple[str, str]]:
    rows = [
        ("model", f"{summary.name}, {summary.precision}, {summary.frames} frames"),
        ("parameters", f"{summary.parameters:,}"),
        ("weights", f"{summary.weight_bytes:,} bytes"),
    ]
    if summary.file_bytes is not None:
        rows.append(("file", f"{summary.file_bytes:,} bytes"))
    rows.append(("MACs", f"{summary.macs:,} an inference"))
    if summary.macs_per_second is not None:
        rows.append(("", f"{summary.macs_per_second:,} a second of speech"))
    return rows
