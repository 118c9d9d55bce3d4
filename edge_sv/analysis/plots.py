"""Plots of the analyses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_sv.analysis.drift import DriftAnalysis
from edge_sv.analysis.layers import LayerAnalysis
from edge_sv.analysis.weights import HISTOGRAM_EDGES, MIN_WEIGHTS, NetWeights, WeightAnalysis
from edge_sv.system.figures import render_figure

LOSS = "kmeans/3"
"""The low-bit loss that is plotted against roughness."""
WIDTH = 9.6
FONT_SIZE = 9


def weights_plot(analysis: WeightAnalysis, *, file_format: str = "svg") -> bytes:
    """Draw the density of each net's weights, and each layer's low-bit loss against its roughness.

    Raises:
        ToolMissing: matplotlib is not installed.
    """

    def draw(figure: Any) -> None:
        density, loss = figure.subplots(1, 2)
        centres = (HISTOGRAM_EDGES[1:] + HISTOGRAM_EDGES[:-1]) / 2
        gaussian = np.exp(-(centres**2) / 2) / np.sqrt(2 * np.pi)
        density.plot(centres, gaussian, color="0.6", linestyle="--", linewidth=1, label="gaussian")
        for net in analysis.nets:
            (line,) = density.plot(centres, _positive(_pooled(net)), linewidth=1.5, label=f"{net.name} ({net.family})")
            shown = [layer for layer in net.layers if layer.weights >= MIN_WEIGHTS]
            sizes = [4 + 24 * np.sqrt(layer.weights / net.weights) for layer in shown]
            x, y = [layer.roughness for layer in shown], [100 * layer.losses[LOSS] for layer in shown]
            loss.scatter(x, y, s=np.square(sizes), color=line.get_color(), alpha=0.6, linewidth=0, label=net.name)
        loss.plot(analysis.gaussian.roughness, 100 * analysis.gaussian.losses[LOSS], "k+", markersize=9)
        loss.annotate("gaussian", (1, 100 * analysis.gaussian.losses[LOSS]), (6, -10), textcoords="offset points")
        density.set(xlabel="weight / rms of its channel", ylabel="density", yscale="log", xlim=(-6, 6), ylim=(1e-5, 1))
        loss.set(xlabel="roughness of the layer's distribution", ylabel=f"||W - Q||² / ||W||² of {LOSS} bits, %")
        _finish(density, loss)

    return render_figure(draw, width=WIDTH, height=4.2, file_format=file_format, font_size=FONT_SIZE)


def layers_plot(analysis: LayerAnalysis, *, file_format: str = "svg") -> bytes:
    """Draw the signal-to-noise ratio at every layer's output, the layers that lose most marked.

    Raises:
        ToolMissing: matplotlib is not installed.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        layers, places = analysis.layers, np.arange(len(analysis.layers))
        lines = {"weights": "weights_db", "activations": "activations_db", "all": "total_db"}
        for label, field in lines.items():
            values = [getattr(layer, field) for layer in layers]
            shown = [np.nan if value is None or value >= 100 else value for value in values]
            axes.plot(places, shown, marker=".", linewidth=2 if label == "all" else 1, label=f"{label} rounded")
        worst = [place for place, layer in enumerate(layers) if layer.worst]
        axes.plot(worst, [layers[place].total_db for place in worst], "rv", markersize=8, label="loses most")
        axes.set_xticks(places, [layer.layer for layer in layers], rotation=90, fontsize=7)
        axes.set(ylabel="signal to quantization noise, dB", xlim=(-0.5, len(layers) - 0.5))
        axes.set_title(f"{analysis.model} ({analysis.recipe})")
        _finish(axes)

    width = max(WIDTH, 0.16 * len(analysis.layers))
    return render_figure(draw, width=width, height=5.2, file_format=file_format, font_size=FONT_SIZE)


def drift_plot(analysis: DriftAnalysis, *, file_format: str = "svg") -> bytes:
    """Draw the distribution of score differences and the share of flipped decisions by distance from the threshold.

    Raises:
        ToolMissing: matplotlib is not installed.
    """

    def draw(figure: Any) -> None:
        density, flips = figure.subplots(1, 2)
        width = 0.8 / len(analysis.models)
        for number, model in enumerate(analysis.models):
            edges, counts = (np.asarray(part, np.float64) for part in model.drift.histogram)
            shares = counts / (counts.sum() * np.diff(edges))
            (line,) = density.plot((edges[1:] + edges[:-1]) / 2, shares, linewidth=1.5, label=model.recipe)
            bands = model.drift.bands
            rates = np.array([100 * band.flips.rate for band in bands])
            ends = np.array([band.flips.ci or (np.nan, np.nan) for band in bands]) * 100
            spread = np.maximum([rates - ends[:, 0], ends[:, 1] - rates], 0)
            places = np.arange(len(bands)) + (number - (len(analysis.models) - 1) / 2) * width
            style = {"elinewidth": 1, "ecolor": "0.3"}
            flips.bar(places, rates, width, yerr=spread, color=line.get_color(), label=model.recipe, error_kw=style)
        bands = analysis.models[0].drift.bands
        flips.set_xticks(np.arange(len(bands)), [_band_name(band.low, band.high) for band in bands])
        density.set(xlabel="score, compressed less float", ylabel="density")
        flips.set(xlabel="float score's distance from the threshold", ylabel="flipped decisions, %")
        _finish(density, flips)

    return render_figure(draw, width=WIDTH, height=4.2, file_format=file_format, font_size=FONT_SIZE)


def _band_name(low: float, high: float | None) -> str:
    return f"{low:g} or more" if high is None else f"{low:g} to {high:g}"


def _pooled(net: NetWeights) -> list[float]:
    """Average the densities of a net's layers by their numbers of weights."""
    shares = [layer.weights / net.weights for layer in net.layers]
    return [float(value) for value in np.array(shares) @ np.array([layer.histogram for layer in net.layers])]


def _positive(values: Sequence[float]) -> Any:
    return np.where(np.array(values) > 0, values, np.nan)


def _finish(*panels: Any) -> None:
    for axes in panels:
        axes.grid(color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        legend = axes.legend(frameon=False, fontsize=8)
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):
                handle.set_sizes([40])
