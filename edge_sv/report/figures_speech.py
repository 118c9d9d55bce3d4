"""Plots of how models do on speech: bytes against EER, DET curves, drift, probes, languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_sv.report.det import draw_det_axes, to_deviates
from edge_sv.report.style import WIDTH, Document, Figure, PlotStyle, slug
from edge_sv.report.svg import inline_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure


def draw_front(document: Document, styles: Mapping[str, PlotStyle]) -> list[Figure]:
    """Draw bytes against EER: of all test lists together, else of the development lists at the check."""
    points = _front_points(document)
    sized = {row["label"]: row["bytes"] for row in document["models"] if row["bytes"]}
    shown = {label: point for label, point in points.items() if label in sized}
    if len(shown) < 2:
        return []
    with new_figure(WIDTH, 3.6) as figure:
        axes = figure.add_subplot(xlabel="bytes in flash (float: 4 bytes a parameter)", ylabel="EER, %", xscale="log")
        _log_bytes(axes, [sized[label] for label in shown])
        axes.set_ylim(0, 120 * max((ends or (eer,))[-1] for eer, ends in shown.values()) or 1)
        for label, (eer, ends) in shown.items():
            style = styles[label]
            low, high = ends or (eer, eer)
            spread = [[100 * max(0.0, eer - low)], [100 * max(0.0, high - eer)]]
            axes.errorbar(
                [sized[label]],
                [100 * eer],
                yerr=spread,
                color=style.color,
                marker=style.marker,
                capsize=2,
                elinewidth=0.8,
            )
        _name_points(figure, axes, [(sized[label], 100 * eer, styles[label]) for label, (eer, _) in shown.items()])
        source = "all test lists together" if document["lists"] else "the development lists, as the check measured it"
        svg = inline_svg(figure, "front", f"Bytes in flash against equal error rate on {source}, one point a model.")
    forms = sorted({row["bytes_of"] for row in document["models"] if row["bytes_of"] and not row["is_float"]})
    return [Figure(svg, f"Bytes ({', '.join(forms)}) against EER on {source}; bars: 95 % intervals over speakers.")]


def draw_det(report: Document, styles: Mapping[str, PlotStyle]) -> Figure:
    """Draw the DET curves of one list."""
    with new_figure(4.6, 4.6) as figure:
        axes = figure.add_subplot()
        draw_det_axes(axes)
        for errors in report["errors"]:
            style, curve = styles[errors["model"]], errors["curve"]
            points = (to_deviates(np.array(curve[side])) for side in ("false_accept", "miss"))
            axes.plot(*points, style.line, color=style.color, linewidth=1.3, label=style.name)
            rate = to_deviates(np.array([errors["eer"]]))
            axes.plot(rate, rate, marker=style.marker, markersize=4.5, color=style.color)
        axes.legend(loc="upper right")
        svg = inline_svg(figure, f"det-{slug(report['name'])}", f"DET curves on {report['name']}, one a model.")
    return Figure(svg, f"{report['name']}: miss rate against false-accept rate; marks: equal error rates.")


def draw_drift(document: Document, styles: Mapping[str, PlotStyle]) -> list[Figure]:
    """Draw how scores differ from float on all lists together, and flips by distance from the threshold."""
    if not document["lists"]:
        return []
    drifts = {e["model"]: e["drift"] for e in document["lists"][-1]["errors"] if e["drift"]}
    if not drifts:
        return []
    with new_figure(WIDTH, 3.4) as figure:
        left, right = figure.subplots(1, 2)
        for label, drift in drifts.items():
            style, histogram = styles[label], drift["histogram"]
            share = 100 * np.array(histogram["counts"]) / sum(histogram["counts"])
            left.stairs(
                share / np.diff(histogram["edges"]) / 100, histogram["edges"], color=style.color, label=style.name
            )
            rates = [100 * band["rate"] for band in drift["bands"]]
            right.plot(rates, style.line, color=style.color, marker=style.marker, markersize=4, linewidth=1)
        left.set(xlabel="score less float score", yticks=[], ylabel="density")
        left.locator_params(axis="x", nbins=4)
        bands = next(iter(drifts.values()))["bands"]
        right.set_xticks(range(len(bands)), [_band_name(band) for band in bands], fontsize=7, rotation=30)
        right.set(xlabel="distance from the threshold", ylabel="flipped decisions, %", ylim=(0, None))
        figure.legend(loc="outside lower center", ncols=2)
        svg = inline_svg(figure, "drift", "Score differences to float, and flipped decisions near the threshold.")
    return [
        Figure(
            svg,
            "All lists together: score differences to float; flips by the float score's distance from the threshold.",
        )
    ]


def draw_probes(document: Document, styles: Mapping[str, PlotStyle]) -> list[Figure]:
    """Draw the accuracy of every probe with its interval, beside that of the most frequent answer."""
    probes = (document["probes"] or {"probes": []})["probes"]
    if not probes:
        return []
    with new_figure(WIDTH, _rows_height(len(probes), len(probes[0]["readings"]))) as figure:
        axes = figure.add_subplot(xlabel="accuracy on unseen speakers, %", xlim=(0, 100))
        for row, probe in enumerate(probes):
            axes.plot([100 * probe["majority"]] * 2, [row - 0.45, row + 0.45], color="0.5", linewidth=2)
        rows = [(f"{p['task'].replace('_', ' ')}, {p['corpus']}", p["readings"]) for p in probes]
        _interval_rows(figure, axes, rows, "accuracy", styles)
        svg = inline_svg(figure, "probes", "Accuracy of linear probes for each task and model, with 95 % intervals.")
    return [Figure(svg, "What a linear classifier reads out of embeddings; grey bar: always the most frequent answer.")]


def draw_languages(report: Document, styles: Mapping[str, PlotStyle], number: int) -> Figure:
    """Draw the EER of every language pair and model with its interval."""
    pairs = report["pairs"]
    with new_figure(WIDTH, _rows_height(len(pairs), len(pairs[0]["errors"]))) as figure:
        axes = figure.add_subplot(xlabel="EER, %")
        rows = [(f"{pair['enroll']} enrolled,\n{pair['test']} tested", pair["errors"]) for pair in pairs]
        _interval_rows(figure, axes, rows, "eer", styles)
        axes.set_xlim(left=0)
        svg = inline_svg(
            figure, f"languages-{number}", "EER within and across languages for each model, with intervals."
        )
    return Figure(svg, "EER within a language and across languages; bars: 95 % intervals over speakers.")


def _front_points(document: Document) -> dict[str, tuple[float, Sequence[float] | None]]:
    if document["lists"]:
        return {e["model"]: (e["eer"], e["eer_ci"]) for e in document["lists"][-1]["errors"]}
    known = {model["label"]: model["dev_eer"] for model in document["models"]}
    return {label: (eer, None) for label, eer in known.items() if eer is not None}


def _name_points(figure: MatplotlibFigure, axes: Axes, points: Sequence[tuple[float, float, PlotStyle]]) -> None:
    """Write names beside points, each a little higher than where it would lie on another; call it when all is drawn."""
    figure.draw_without_rendering()
    height, letter = 9.0, 4.6
    placed: list[tuple[float, float, float]] = []
    for x, y, style in sorted(points, key=lambda point: point[1]):
        left, base = (float(v) * 72 / figure.dpi for v in axes.transData.transform((x, y)))
        right, rise = left + letter * len(style.name), 3.0
        while any(left < end and right > start and abs(base + rise - at) < height for start, end, at in placed):
            rise += 1.0
        placed.append((left, right, base + rise))
        axes.annotate(style.name, (x, y), xytext=(5, rise), textcoords="offset points", fontsize=8, color=style.color)


def _log_bytes(axes: Axes, sizes: Sequence[int]) -> None:
    """Label a logarithmic axis of bytes in kB at 1, 2 and 5 of every decade, with room for names on the right."""
    low, high = min(sizes) / 1.4, max(sizes) * 2.2
    ticks = [m * 10**e for e in range(2, 9) for m in (1, 2, 5) if low <= m * 10**e <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{tick / 1000:g} kB" for tick in ticks])
    axes.minorticks_off()


def _rows_height(rows: int, models: int) -> float:
    """Return the height in inches of a figure with so many rows, each with a mark for every model."""
    return 1.0 + rows * (0.25 + 0.14 * models)


def _interval_rows(
    figure: MatplotlibFigure,
    axes: Axes,
    rows: Sequence[tuple[str, Sequence[Document]]],
    value: str,
    styles: Mapping[str, PlotStyle],
) -> None:
    """Draw a labelled row for each task: every model's `value` with its interval, one below the other."""
    for row, (_, readings) in enumerate(rows):
        for place, reading in enumerate(readings):
            height = row - 0.4 + (place + 0.5) * 0.8 / len(readings)
            style = styles[reading["model"]]
            _interval(axes, height, reading[value], reading[f"{value}_ci"], style, named=row == 0)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=2)


def _interval(axes: Axes, row: float, value: float, ends: Sequence[float], style: PlotStyle, *, named: bool) -> None:
    axes.plot([100 * ends[0], 100 * ends[1]], [row, row], color=style.color, linewidth=1)
    label = style.name if named else None
    axes.plot([100 * value], [row], style.marker, color=style.color, markersize=4.5, label=label)


def _band_name(band: Document) -> str:
    return f"from {band['low']:g}" if band["high"] is None else f"{band['low']:g} to {band['high']:g}"
