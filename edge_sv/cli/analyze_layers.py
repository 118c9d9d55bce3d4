"""``edge-sv analyze layers``: the quantization error of a converted model, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_sv.analysis.layers import LayerAnalysis, LayerError, analyze_layers
from edge_sv.cli.output import JsonOption, out_console, plot_option, print_json, print_table
from edge_sv.cli.steps import show_steps
from edge_sv.system.figures import figure_format
from edge_sv.system.files import write_atomic


def command(
    model: Annotated[str, typer.Argument(help="A bundled net's name, or a converted model's or a package's folder.")],
    against: Annotated[
        str | None,
        typer.Option(metavar="NET", help="Float net; default: the one it was converted from.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="INDEX.csv", help="Speech files; default: the bundled voices.", show_default=False),
    ] = None,
    plot: Annotated[Path | None, plot_option("Draw the ratios along the net;")] = None,
    json: JsonOption = False,
) -> None:
    """Compare every layer of a converted model with its float net: signal to quantization noise in dB, and its causes.

    "own weights" compares the layer's weights themselves; the next three columns its output: "all" with everything
    rounded, "weights" with only the weights up to there, "activations" what rounding activations adds. "loses" is what
    is lost in the layer and not made good by what follows; the three layers that lose most are marked. A compressed
    model is compared with its fine-tuned float form, whose weights are rounded already; --against the net it was
    compressed from shows what compression and fine-tuning changed.

    \b
    Examples:
      edge-sv analyze layers resnet-nano
      edge-sv analyze layers assets/resnet-nano/palette_w4_ai8 --plot layers.svg
      edge-sv analyze layers assets/resnet-nano/palette_w4_ai8 --against resnet-nano --json
    """
    with show_steps() as steps:
        analysis = analyze_layers(model, against=against, index=data, progress=steps("segments"))
    if plot:
        from edge_sv.analysis.plots import layers_plot

        write_atomic(plot, layers_plot(analysis, file_format=figure_format(plot)))
    if json:
        print_json(analysis.to_dict())
        return
    console = out_console()
    print_table(_table(analysis))
    console.print(
        f"{analysis.segments} segments of {analysis.source}; cosine of the embeddings {analysis.embedding_cosine:.4f}; "
        f"float net {analysis.against}",
        markup=False,
        soft_wrap=True,
    )


def _table(analysis: LayerAnalysis) -> Table:
    title = f"{analysis.model}, {analysis.recipe}: signal to quantization noise, dB"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    table.add_column("kind")
    for name in ("stored as", "own weights", "all", "weights", "activations", "loses", ""):
        table.add_column(name, justify="right")
    for layer in analysis.layers:
        table.add_row(*_row(layer), style="bold" if layer.worst else "")
    return table


def _row(layer: LayerError) -> list[str]:
    form = "" if layer.weight_bits is None else f"{layer.weight_bits} bits, {layer.weight_values} values"
    ratios = (layer.weight_db, layer.total_db, layer.weights_db, layer.activations_db)
    lost = f"{layer.lost_db:.1f}" if layer.lost_db > 0 else ""
    return [layer.layer, layer.kind, form, *map(_ratio, ratios), lost, "<" if layer.worst else ""]


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    return "exact" if value >= 100 else f"{value:.1f}"
