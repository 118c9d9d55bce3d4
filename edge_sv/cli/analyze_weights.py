"""``edge-sv analyze weights``: how weights are distributed, and what few bits lose of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_sv.analysis.rounding import RoundingAnalysis, measure_rounding
from edge_sv.analysis.weights import LayerWeights, NetWeights, WeightAnalysis, analyze_weights
from edge_sv.cli.output import JsonOption, out_console, plot_option, print_json, print_table
from edge_sv.cli.steps import show_steps
from edge_sv.errors import UsageError
from edge_sv.system.figures import figure_format
from edge_sv.system.files import write_atomic

SHOWN = ("uniform/4", "uniform/3", "uniform/2", "powers_of_two/4", "kmeans/4", "kmeans/3", "kmeans/2")
SHORT = {"uniform": "uniform", "powers_of_two": "2^k", "kmeans": "kmeans"}
COMPARED = "kmeans/3"
MOST_HURT = 3


def command(
    nets: Annotated[list[str], typer.Argument(metavar="NET...", help="Bundled nets' names or float nets' folders.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Also measure what rounding does to embeddings (needs TensorFlow).")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="INDEX.csv", help="With --embeddings: speech files; default: bundled voices.", show_default=False
        ),
    ] = None,
    plot: Annotated[Path | None, plot_option("Draw distributions and losses;")] = None,
    json: JsonOption = False,
) -> None:
    """Describe how a float net's weights are distributed, and what rounding them to few bits loses.

    Each output channel is scaled to root mean square 1. Kurtosis is 0 for a gaussian distribution, roughness is 1; the
    loss is ||W - Q||^2 / ||W||^2 of the quantizers that recipes use, without any training. Rank correlations over all
    layers tell which figure goes with the loss.

    \b
    Examples:
      edge-sv analyze weights resnet-nano ecapa-small
      edge-sv analyze weights resnet-nano ecapa-small --embeddings --plot weights.svg
      edge-sv analyze weights my-net --json
    """
    if data is not None and not embeddings:
        raise UsageError("--data is what embeddings are measured on", hint="add --embeddings")
    analysis = analyze_weights(nets)
    if plot:
        from edge_sv.analysis.plots import weights_plot

        write_atomic(plot, weights_plot(analysis, file_format=figure_format(plot)))
    effects: list[RoundingAnalysis] = []
    if embeddings:
        with show_steps() as steps:
            effects = [measure_rounding(net, index=data, progress=steps(f"rounding {net}")) for net in nets]
    if json:
        print_json({**analysis.to_dict(), "rounding": [effect.to_dict() for effect in effects]})
        return
    console = out_console()
    for net in analysis.nets:
        print_table(_layer_table(net))
        console.print()
    print_table(_net_table(analysis))
    for line in _findings(analysis):
        console.print(line, markup=False, soft_wrap=True)
    if effects:
        console.print()
        print_table(_effect_table(effects))
        for effect in effects:
            console.print(_most_hurt(effect), markup=False, soft_wrap=True)


def _layer_table(net: NetWeights) -> Table:
    table = _table(f"{net.name} ({net.family})", "layer")
    for layer in net.layers:
        table.add_row(layer.layer, *_figures(layer))
    return table


def _net_table(analysis: WeightAnalysis) -> Table:
    table = _table("Means over layers, weighted by their sizes", "net")
    for net in analysis.nets:
        table.add_row(net.name, *_figures(net))
    table.add_row("a gaussian", *_figures(analysis.gaussian), style="dim")
    return table


def _table(title: str, first: str) -> Table:
    table = Table(title=f"{title}; losses in % of the weights' energy", title_justify="left", box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in ("weights", "kurtosis", "% beyond\n4 rms", "rough-\nness"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in SHOWN:
        quantizer, bits = name.split("/")
        table.add_column(f"{SHORT[quantizer]}\n{bits} bits", justify="right", no_wrap=True)
    return table


def _figures(of: LayerWeights | NetWeights) -> list[str]:
    shape = (f"{of.weights:,}", f"{of.excess_kurtosis:.2f}", f"{100 * of.outliers:.2f}", f"{of.roughness:.2f}")
    return [*shape, *(f"{100 * of.losses[name]:.2f}" for name in SHOWN)]


def _findings(analysis: WeightAnalysis) -> Iterator[str]:
    """Say what the figures mean: which measure goes with the loss, and whether the smoothest net loses least."""
    for found in analysis.correlations:
        if found.loss == COMPARED:
            yield f"{found.measure} and {COMPARED} loss: rank correlation {found.rho:.2f} over {found.layers} layers"
    if len(analysis.nets) > 1:
        smoothest = min(analysis.nets, key=lambda net: net.roughness)
        robust = min(analysis.nets, key=lambda net: net.losses[COMPARED])
        same = "it also loses least" if smoothest is robust else f"{robust.name} loses least"
        yield (
            f"smoothest weights: {smoothest.name}, roughness {smoothest.roughness:.2f}; {same}: "
            f"{robust.losses[COMPARED]:.2%} of its weights' energy at {COMPARED} bits"
        )


def _effect_table(effects: list[RoundingAnalysis]) -> Table:
    title = f"Embeddings after rounding without training, {effects[0].segments} segments of {effects[0].source}"
    table = Table(title=f"{title}:\ndB of what tells recordings apart to the error; cosine", title_justify="left")
    table.box, table.pad_edge = None, False
    table.add_column("rounded to")
    for effect in effects:
        table.add_column(effect.model, justify="right")
    for rows in zip(*(effect.effects for effect in effects), strict=True):
        name = f"{rows[0].quantizer}/{rows[0].bits}"
        table.add_row(name, *(f"{row.embedding_db:.1f} dB  {row.cosine:.3f}" for row in rows))
    return table


def _most_hurt(effect: RoundingAnalysis) -> str:
    worst = sorted(effect.layers, key=lambda layer: layer.embedding_db)[:MOST_HURT]
    listed = ", ".join(f"{layer.layer} ({layer.embedding_db:.1f} dB)" for layer in worst)
    return f"{effect.model}: 2 bits in one layer alone hurt most in {listed}"
