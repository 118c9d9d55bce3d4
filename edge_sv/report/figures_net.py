"""Plots of the net itself: its training, what lies in flash, its weights, the noise in its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_sv.report.style import WIDTH, Document, Figure, PlotStyle, slug
from edge_sv.report.svg import COLORS, inline_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    "weights": "weights or indices",
    "codebook": "codebooks",
    "scales": "scales",
    "biases": "biases",
    "other": "other constants",
    "structure": "graph and names",
}


def draw_history(net: Document) -> Figure:
    """Draw a training: its losses, and the EER on the development lists, by epoch."""
    history = net["history"]
    epochs = history.get("epoch") or list(range(1, 1 + len(next(iter(history.values())))))
    errors = {name: values for name, values in history.items() if name.startswith("dev_eer")}
    others = ("epoch", "gradient_norm", *errors)
    losses = {name: values for name, values in history.items() if name not in others}
    with new_figure(WIDTH, 3.4) as figure:
        panels = figure.subplots(1, 1 + bool(errors), squeeze=False)[0]
        _draw_columns(panels[0], epochs, losses, "loss")
        if errors:
            percent = {
                _list_name(name): [None if v is None else 100 * v for v in column] for name, column in errors.items()
            }
            _draw_columns(panels[1], epochs, percent, "EER on development lists, %")
        svg = inline_svg(figure, f"history-{slug(net['name'])}", f"Training of {net['name']}: loss and EER by epoch.")
    return Figure(svg, f"{net['name']}: training loss and EER on the development lists, by epoch.")


def draw_flash(document: Document, styles: Mapping[str, PlotStyle]) -> list[Figure]:
    """Draw what lies in flash, a bar for each converted model."""
    kinds = {row["bytes_of"] for row in document["models"] if not row["is_float"]}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        return []
    rows = [(form["label"], form["flash"][kind]["sums"]) for form in document["forms"]]
    with new_figure(WIDTH, 1.2 + 0.3 * len(rows)) as figure:
        axes = figure.add_subplot(xlabel=f"kB in flash ({kind})")
        starts = np.zeros(len(rows))
        places = np.arange(len(rows))
        for number, (part, title) in enumerate(PARTS.items()):
            sizes = np.array([sums[part] / 1000 for _, sums in rows])
            if sizes.any():
                axes.barh(places, sizes, 0.7, starts, color=COLORS[number], label=title)
                starts += sizes
        axes.set_yticks(places, [styles[label].name for label, _ in rows])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside lower center", ncols=3)
        svg = inline_svg(figure, "flash", f"What lies in flash, {kind}, by part, a bar for each model.")
    return [Figure(svg, f"What lies in flash ({kind}), by part.")]


def draw_weights(net: Document, gaussian: Document) -> Figure:
    """Draw the distribution of each layer's weights over a gaussian one."""
    layers = net["layers"]
    columns = 4
    rows = -(-len(layers) // columns)
    edges = np.linspace(-6.0, 6.0, len(gaussian["histogram"]) + 1)
    with new_figure(1.5 * WIDTH, 0.5 + 1.15 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, layer in zip(panels, layers, strict=False):
            axes.stairs(layer["histogram"], edges, fill=True, color=COLORS[5])
            axes.stairs(gaussian["histogram"], edges, color="0.35", linewidth=0.7)
            axes.set_title(layer["layer"], fontsize=7)
            axes.set(xlim=(-4.5, 4.5), yticks=[])
            axes.grid(visible=False)
        for axes in panels[len(layers) :]:
            axes.set_visible(False)
        figure.supxlabel("weight, in root mean squares of its output channel", fontsize=8)
        name = f"weights-{slug(net['name'])}"
        svg = inline_svg(figure, name, f"Histograms of the weights of each layer of {net['name']}.")
    return Figure(svg, f"{net['name']}: weights of each layer, output channels scaled alike; line: gaussian.")


def draw_layers(document: Document, styles: Mapping[str, PlotStyle]) -> list[Figure]:
    """Draw the signal-to-noise ratio at each layer's output, a line for each converted model; a plot for each net."""
    figures = []
    for net in document["nets"]:
        traced = [each for each in document["layers"] if styles[each["label"]].name and each["layers"]]
        mine = [each for each in traced if _net_of(document, each["label"]) == net["name"]]
        if not mine:
            continue
        names = list(dict.fromkeys(layer["layer"] for each in mine for layer in each["layers"]))
        with new_figure(WIDTH, 1.2 + 0.17 * len(names)) as figure:
            axes = figure.add_subplot(xlabel="signal to quantization noise at the layer's output, dB")
            for each in mine:
                style, found = styles[each["label"]], {layer["layer"]: layer["total_db"] for layer in each["layers"]}
                values = [found.get(name, np.nan) for name in names]
                axes.plot(
                    values,
                    np.arange(len(names)),
                    style.line,
                    color=style.color,
                    marker=style.marker,
                    markersize=3.5,
                    linewidth=1,
                    label=style.name,
                )
            axes.set_yticks(np.arange(len(names)), names, fontsize=7)
            axes.invert_yaxis()
            figure.legend(loc="outside lower center", ncols=2)
            title = f"Signal-to-noise ratio by layer of the converted forms of {net['name']}."
            svg = inline_svg(figure, f"layers-{slug(net['name'])}", title)
        figures.append(
            Figure(svg, f"{net['name']}: quantization noise layer by layer, in the order they run (top: first).")
        )
    return figures


def _draw_columns(
    axes: Axes, epochs: Sequence[float], columns: Mapping[str, Sequence[float | None]], title: str
) -> None:
    for number, (name, values) in enumerate(columns.items()):
        known = [np.nan if value is None else value for value in values]
        marker = "o" if len(epochs) == 1 else None
        axes.plot(
            epochs,
            known,
            label=name.replace("_", " "),
            color=COLORS[number % len(COLORS)],
            linewidth=1.2,
            marker=marker,
        )
    axes.set(xlabel="epoch", title=title)
    axes.locator_params(axis="x", integer=True)
    axes.set_ylim(bottom=0)
    if columns:
        axes.legend()


def _net_of(document: Document, label: str) -> str:
    return next(str(form["net"]) for form in document["forms"] if form["label"] == label)


def _list_name(column: str) -> str:
    return column.removeprefix("dev_eer").strip("_") or "mean"
