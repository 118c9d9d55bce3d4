"""The report's plots, drawn from its document; one function a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sv.report.det import draw_det_axes, to_deviates
from edge_sv.report.svg import COLORS, FLOAT_COLOR, MARKERS, inline_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Document = Mapping[str, Any]

WIDTH = 5.4
"""Inches; what a phone shows at about two thirds of its size."""
PARTS = {
    "weights": "weights or indices",
    "codebook": "codebooks",
    "scales": "scales",
    "biases": "biases",
    "other": "other constants",
    "structure": "graph and names",
}


@dataclass(frozen=True)
class Figure:
    """A plot in the page: an SVG element and what stands below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class _Look:
    """How a model is drawn in all plots."""

    name: str
    color: str
    marker: str
    line: str


def draw_figures(document: Document) -> dict[str, list[Figure]]:
    """Draw every plot that the document has figures for, section -> plots.

    Raises:
        ToolMissing: matplotlib is not installed.
    """
    looks = _looks(document["models"])
    return {
        "front": draw_front(document, looks),
        "history": [draw_history(net) for net in document["nets"] if net["history"]],
        "flash": draw_flash(document, looks),
        "weights": [
            draw_weights(net, document["weights"]["gaussian"]) for net in (document["weights"] or {"nets": []})["nets"]
        ],
        "layers": draw_layers(document, looks),
        "det": [draw_det(each, looks) for each in document["lists"]],
        "drift": draw_drift(document, looks),
        "probes": draw_probes(document, looks),
        "languages": [draw_languages(each, looks, n) for n, each in enumerate(document["languages"])],
    }


def draw_front(document: Document, looks: Mapping[str, _Look]) -> list[Figure]:
    """Draw bytes against EER: of all test lists together, else of the development lists at the check."""
    points = _front_points(document)
    sized = {row["label"]: row["bytes"] for row in document["models"] if row["bytes"]}
    shown = {label: point for label, point in points.items() if label in sized}
    if len(shown) < 2:
        return []
    with new_figure(WIDTH, 3.6) as figure:
        axes = figure.add_subplot(xlabel="bytes in flash (float: 4 bytes a parameter)", ylabel="EER, %", xscale="log")
        for label, (eer, ends) in shown.items():
            look = looks[label]
            low, high = ends or (eer, eer)
            spread = [[100 * max(0.0, eer - low)], [100 * max(0.0, high - eer)]]
            axes.errorbar(
                [sized[label]],
                [100 * eer],
                yerr=spread,
                color=look.color,
                marker=look.marker,
                capsize=2,
                elinewidth=0.8,
            )
            axes.annotate(
                look.name,
                (sized[label], 100 * eer),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
                color=look.color,
            )
        _log_bytes(axes, [sized[label] for label in shown])
        axes.set_ylim(bottom=0)
        source = "all test lists together" if document["lists"] else "the development lists, as the check measured it"
        svg = inline_svg(figure, "front", f"Bytes in flash against equal error rate on {source}, one point a model.")
    forms = sorted({row["bytes_of"] for row in document["models"] if row["bytes_of"] and not row["is_float"]})
    return [Figure(svg, f"Bytes ({', '.join(forms)}) against EER on {source}; bars: 95 % intervals over speakers.")]


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
        svg = inline_svg(figure, f"history-{_slug(net['name'])}", f"Training of {net['name']}: loss and EER by epoch.")
    return Figure(svg, f"{net['name']}: training loss and EER on the development lists, by epoch.")


def draw_flash(document: Document, looks: Mapping[str, _Look]) -> list[Figure]:
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
        axes.set_yticks(places, [looks[label].name for label, _ in rows])
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
        name = f"weights-{_slug(net['name'])}"
        svg = inline_svg(figure, name, f"Histograms of the weights of each layer of {net['name']}.")
    return Figure(svg, f"{net['name']}: weights of each layer, output channels scaled alike; line: gaussian.")


def draw_layers(document: Document, looks: Mapping[str, _Look]) -> list[Figure]:
    """Draw the signal-to-noise ratio at each layer's output, a line for each converted model; a plot for each net."""
    figures = []
    for net in document["nets"]:
        traced = [each for each in document["layers"] if looks[each["label"]].name and each["layers"]]
        mine = [each for each in traced if _net_of(document, each["label"]) == net["name"]]
        if not mine:
            continue
        names = list(dict.fromkeys(layer["layer"] for each in mine for layer in each["layers"]))
        with new_figure(WIDTH, 1.2 + 0.17 * len(names)) as figure:
            axes = figure.add_subplot(xlabel="signal to quantization noise at the layer's output, dB")
            for each in mine:
                look, found = looks[each["label"]], {layer["layer"]: layer["total_db"] for layer in each["layers"]}
                values = [found.get(name, np.nan) for name in names]
                axes.plot(
                    values,
                    np.arange(len(names)),
                    look.line,
                    color=look.color,
                    marker=look.marker,
                    markersize=3.5,
                    linewidth=1,
                    label=look.name,
                )
            axes.set_yticks(np.arange(len(names)), names, fontsize=7)
            axes.invert_yaxis()
            figure.legend(loc="outside lower center", ncols=2)
            title = f"Signal-to-noise ratio by layer of the converted forms of {net['name']}."
            svg = inline_svg(figure, f"layers-{_slug(net['name'])}", title)
        figures.append(
            Figure(svg, f"{net['name']}: quantization noise layer by layer, in the order they run (top: first).")
        )
    return figures


def draw_det(report: Document, looks: Mapping[str, _Look]) -> Figure:
    """Draw the DET curves of one list."""
    with new_figure(4.6, 4.6) as figure:
        axes = figure.add_subplot()
        draw_det_axes(axes)
        for errors in report["errors"]:
            look, curve = looks[errors["model"]], errors["curve"]
            points = (to_deviates(np.array(curve[side])) for side in ("false_accept", "miss"))
            axes.plot(*points, look.line, color=look.color, linewidth=1.3, label=look.name)
            rate = to_deviates(np.array([errors["eer"]]))
            axes.plot(rate, rate, marker=look.marker, markersize=4.5, color=look.color)
        axes.legend(loc="upper right")
        svg = inline_svg(figure, f"det-{_slug(report['name'])}", f"DET curves on {report['name']}, one a model.")
    return Figure(svg, f"{report['name']}: miss rate against false-accept rate; marks: equal error rates.")


def draw_drift(document: Document, looks: Mapping[str, _Look]) -> list[Figure]:
    """Draw how scores differ from float on all lists together, and flips by distance from the threshold."""
    if not document["lists"]:
        return []
    drifts = {e["model"]: e["drift"] for e in document["lists"][-1]["errors"] if e["drift"]}
    if not drifts:
        return []
    with new_figure(WIDTH, 3.4) as figure:
        left, right = figure.subplots(1, 2)
        for label, drift in drifts.items():
            look, histogram = looks[label], drift["histogram"]
            share = 100 * np.array(histogram["counts"]) / sum(histogram["counts"])
            left.stairs(
                share / np.diff(histogram["edges"]) / 100, histogram["edges"], color=look.color, label=look.name
            )
            rates = [100 * band["rate"] for band in drift["bands"]]
            right.plot(rates, look.line, color=look.color, marker=look.marker, markersize=4, linewidth=1)
        left.set(xlabel="score less float score", yticks=[], ylabel="density")
        bands = next(iter(drifts.values()))["bands"]
        right.set_xticks(range(len(bands)), [_band_name(band) for band in bands], fontsize=7, rotation=30)
        right.set(xlabel="float score's distance from the threshold", ylabel="flipped decisions, %", ylim=(0, None))
        figure.legend(loc="outside lower center", ncols=2)
        svg = inline_svg(figure, "drift", "Score differences to float, and flipped decisions near the threshold.")
    return [Figure(svg, "All lists together: score differences to float; flips by distance from the threshold.")]


def draw_probes(document: Document, looks: Mapping[str, _Look]) -> list[Figure]:
    """Draw the accuracy of every probe with its interval, beside that of the most frequent answer."""
    probes = (document["probes"] or {"probes": []})["probes"]
    if not probes:
        return []
    models = len(probes[0]["readings"])
    step = 0.8 / models
    with new_figure(WIDTH, 1.0 + len(probes) * (0.25 + 0.14 * models)) as figure:
        axes = figure.add_subplot(xlabel="accuracy on unseen speakers, %", xlim=(0, 100))
        for row, probe in enumerate(probes):
            axes.plot([100 * probe["majority"]] * 2, [row - 0.45, row + 0.45], color="0.5", linewidth=2)
            for number, reading in enumerate(probe["readings"]):
                _interval(
                    axes,
                    row - 0.4 + (number + 0.5) * step,
                    reading["accuracy"],
                    reading["accuracy_ci"],
                    looks[reading["model"]],
                    named=row == 0,
                )
        axes.set_yticks(range(len(probes)), [f"{p['task'].replace('_', ' ')}, {p['corpus']}" for p in probes])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside lower center", ncols=2)
        svg = inline_svg(figure, "probes", "Accuracy of linear probes for each task and model, with 95 % intervals.")
    return [Figure(svg, "What a linear classifier reads out of embeddings; grey bar: always the most frequent answer.")]


def draw_languages(report: Document, looks: Mapping[str, _Look], number: int) -> Figure:
    """Draw the EER of every language pair and model with its interval."""
    pairs = report["pairs"]
    models = len(pairs[0]["errors"])
    step = 0.8 / models
    with new_figure(WIDTH, 1.0 + len(pairs) * (0.25 + 0.14 * models)) as figure:
        axes = figure.add_subplot(xlabel="EER, %")
        for row, pair in enumerate(pairs):
            for place, errors in enumerate(pair["errors"]):
                _interval(
                    axes,
                    row - 0.4 + (place + 0.5) * step,
                    errors["eer"],
                    errors["eer_ci"],
                    looks[errors["model"]],
                    named=row == 0,
                )
        axes.set_yticks(range(len(pairs)), [f"{pair['enroll']} enrolled,\n{pair['test']} tested" for pair in pairs])
        axes.set_xlim(left=0)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside lower center", ncols=2)
        svg = inline_svg(
            figure, f"languages-{number}", "EER within and across languages for each model, with intervals."
        )
    return Figure(svg, "EER within a language and across languages; bars: 95 % intervals over speakers.")


def _interval(axes: Axes, row: float, value: float, ends: Sequence[float], look: _Look, *, named: bool) -> None:
    axes.plot([100 * ends[0], 100 * ends[1]], [row, row], color=look.color, linewidth=1)
    label = look.name if named else None
    axes.plot([100 * value], [row], look.marker, color=look.color, markersize=4.5, label=label)


def _looks(models: Sequence[Document]) -> dict[str, _Look]:
    """Choose colors, markers and lines; float nets are dark and dashed."""
    looks: dict[str, _Look] = {}
    converted = 0
    for model in models:
        if model["is_float"]:
            looks[model["label"]] = _Look(model["short"], FLOAT_COLOR, "*", "--")
            continue
        line = ("-", "-.", ":")[converted // len(COLORS) % 3]
        color, marker = COLORS[converted % len(COLORS)], MARKERS[converted % len(MARKERS)]
        looks[model["label"]] = _Look(model["short"], color, marker, line)
        converted += 1
    return looks


def _front_points(document: Document) -> dict[str, tuple[float, Sequence[float] | None]]:
    if document["lists"]:
        return {e["model"]: (e["eer"], e["eer_ci"]) for e in document["lists"][-1]["errors"]}
    known = {model["label"]: model["dev_eer"] for model in document["models"]}
    return {label: (eer, None) for label, eer in known.items() if eer is not None}


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
    axes.set_ylim(bottom=0)
    if columns:
        axes.legend()


def _log_bytes(axes: Axes, sizes: Sequence[int]) -> None:
    """Label a logarithmic axis of bytes in kB at 1, 2 and 5 of every decade, with room for names on the right."""
    low, high = min(sizes) / 1.4, max(sizes) * 2.2
    ticks = [m * 10**e for e in range(2, 9) for m in (1, 2, 5) if low <= m * 10**e <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick / 1000:g} kB" for tick in ticks])
    axes.minorticks_off()


def _net_of(document: Document, label: str) -> str:
    return next(str(form["net"]) for form in document["forms"] if form["label"] == label)


def _band_name(band: Document) -> str:
    return f"from {band['low']:g}" if band["high"] is None else f"{band['low']:g} to {band['high']:g}"


def _list_name(column: str) -> str:
    return column.removeprefix("dev_eer").strip("_") or "mean"


def _slug(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text).strip("-").lower()
