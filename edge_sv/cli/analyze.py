"""``edge-sv analyze``: a group of commands that look at what compression does to a net."""

from __future__ import annotations

import typer

from edge_sv.cli.lazy import HELP_NAMES, LazyCommands

ANALYSES = {
    "weights": ("edge_sv.cli.analyze_weights", "How weights are distributed, and what few bits lose of them."),
    "layers": ("edge_sv.cli.analyze_layers", "The quantization error of a converted model, layer by layer."),
    "drift": ("edge_sv.cli.analyze_drift", "How scores drift from the float net's, and which decisions flip."),
    "probe": ("edge_sv.cli.analyze_embeddings:probe", "What embeddings know besides the speaker, by bit width."),
    "languages": ("edge_sv.cli.analyze_embeddings:languages", "Errors of trials within and across languages."),
}


class _Analyses(LazyCommands):
    table = ANALYSES


app = typer.Typer(
    cls=_Analyses, add_completion=False, rich_markup_mode=None, invoke_without_command=True, context_settings=HELP_NAMES
)


@app.callback()
def _root(ctx: typer.Context) -> None:
    """Look at what compression does to a net: its weights, its layers, its scores, and what its embeddings know."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
