"""Plots show the figures they are given, as text and places; the same figures give the same bytes."""

from __future__ import annotations

import dataclasses
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'edge-sv[plot]'")

from edge_sv.analysis.drift import DriftAnalysis, ModelDrift, measure_drift
from edge_sv.analysis.layers import LayerAnalysis, LayerError
from edge_sv.analysis.plots import drift_plot, layers_plot, weights_plot
from edge_sv.analysis.weights import MIN_WEIGHTS, NetWeights, WeightAnalysis, describe_gaussian, describe_layer
from edge_sv.errors import ToolMissing
from edge_sv.scoring.trials import Trial, TrialList

SVG = "{http://www.w3.org/2000/svg}"


def weights(*counts: int) -> WeightAnalysis:
    """One net with layers of so many laplacian weights."""
    rng = np.random.default_rng(0)
    layers = tuple(
        describe_layer(f"layer{number}", rng.laplace(size=(1, 1, count // 8, 8)).astype(np.float32))
        for number, count in enumerate(counts)
    )
    first, total = layers[0], sum(layer.weights for layer in layers)
    figures = (first.excess_kurtosis, first.outliers, first.roughness, first.losses)
    return WeightAnalysis((NetWeights("net-a", "resnet", total, *figures, layers),), describe_gaussian(), ())


def layers(*ratios: float | None) -> LayerAnalysis:
    """A layer for each ratio of its weights, the second one worst."""
    errors = tuple(
        LayerError(f"layer{n}", "CONV_2D", 8, 255, 40.0, 30.0 - n, db, 35.0, 1.0, worst=n == 1)
        for n, db in enumerate(ratios)
    )
    return LayerAnalysis("model-a", "static_wi8_ai8", "net", "voices", 4, 0.99, errors)


def drift(*shifts: float) -> DriftAnalysis:
    """A model for each shift of its scores."""
    speakers = {f"s{n}/{k}": f"s{n}" for n in range(6) for k in range(2)}
    ids = list(speakers)
    trials = TrialList(tuple(Trial(a[:2] == b[:2], a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]))
    exact = np.linspace(0, 1, len(trials)).astype(np.float32)
    models = []
    for number, shift in enumerate(shifts):
        found = measure_drift((exact + shift).astype(np.float32), exact, trials, speakers, threshold=0.5)
        models.append(ModelDrift(f"model-{number}", f"recipe-{number}", "cosine", "given", 0.1, 0.1, found))
    return DriftAnalysis("net", len(trials), 6, tuple(models))


CASES: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "weights": (
        lambda: weights_plot(weights(2000, 4000)),
        {"net-a (resnet)", "gaussian", "weight / rms of its channel"},
    ),
    "layers": (lambda: layers_plot(layers(50, 45, None)), {"layer0", "layer1", "layer2", "loses most", "all rounded"}),
    "drift": (lambda: drift_plot(drift(0.02, -0.1)), {"recipe-0", "recipe-1", "0 to 0.02", "0.2 or more"}),
}


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def group(svg: bytes, name: str) -> list[ElementTree.Element]:
    """Return all that is drawn in a group, by matplotlib's name for it."""
    (found,) = [each for each in ElementTree.fromstring(svg).iter(f"{SVG}g") if each.get("id") == name]
    return [each for each in found.iter() if each.tag in (f"{SVG}use", f"{SVG}path")]


def layer_marks(svg: bytes) -> int:
    """Count the marks of a cloud: matplotlib draws a shape once and uses it, or draws each when there are few."""
    drawn = group(svg, "PathCollection_1")
    used = [each for each in drawn if each.tag == f"{SVG}use"]
    return len(used or drawn)


def line_marks(svg: bytes) -> int:
    """Count the marks of all lines, those of the axes left out."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}g")
    lines = [each for each in found if (each.get("id") or "").startswith("line2d_")]
    return sum(len(list(each.iter(f"{SVG}use"))) for each in lines if len(list(each.iter(f"{SVG}use"))) > 1)


@pytest.mark.parametrize("name", CASES)
def test_text_is_text_and_the_same_figures_give_the_same_bytes(name: str) -> None:
    draw, wanted = CASES[name]
    svg = draw()
    assert wanted <= set(texts(svg))
    assert draw() == svg
    assert b"<dc:date>" not in svg and not re.search(rb"\d{4}-\d\d-\d\dT", svg)


@pytest.mark.parametrize("name", CASES)
def test_without_matplotlib_it_says_how_to_install_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolMissing, match="plots need matplotlib") as caught:
        CASES[name][0]()
    assert caught.value.hint == "pip install 'edge-sv[plot]'"


def test_other_figures_are_another_plot() -> None:
    assert layers_plot(layers(50, 45)) != layers_plot(layers(50, 44))
    assert drift_plot(drift(0.02)) != drift_plot(drift(0.03))
    assert weights_plot(weights(2000)) != weights_plot(weights(2400))


def test_a_layer_with_few_weights_has_no_mark() -> None:
    """Its shape cannot be told."""
    few, many = MIN_WEIGHTS - 8, MIN_WEIGHTS + 8
    for counts in ((many, few, many + 8), (many, many + 8), (few, many, few, many + 8, many + 16)):
        assert layer_marks(weights_plot(weights(*counts))) == sum(count >= MIN_WEIGHTS for count in counts)


def test_a_ratio_that_is_unknown_or_endless_is_left_out() -> None:
    """120 dB stands for no noise: drawn, it would press everything else together."""
    known, unknown, endless = (line_marks(layers_plot(layers(50, 45, last))) for last in (40, None, 120.0))
    assert known - 1 == unknown == endless


def test_many_layers_make_a_wider_plot() -> None:
    def width(svg: bytes) -> float:
        return float(ElementTree.fromstring(svg).attrib["viewBox"].split()[2])

    assert width(layers_plot(layers(*[40.0] * 120))) > width(layers_plot(layers(40.0, 40.0))) > 0


def test_scores_that_are_the_same_are_drawn_too() -> None:
    assert "recipe-0" in texts(drift_plot(drift(0.0)))


def test_bands_without_an_interval_have_a_bar_without_one() -> None:
    analysis = drift(0.1)
    (model,) = analysis.models
    with_intervals = [
        dataclasses.replace(band, flips=dataclasses.replace(band.flips, ci=(0.0, 0.5))) for band in model.drift.bands
    ]
    for bands in (with_intervals, [*with_intervals[:2], model.drift.bands[-1]]):
        shown = dataclasses.replace(model, drift=dataclasses.replace(model.drift, bands=tuple(bands)))
        lines = group(drift_plot(dataclasses.replace(analysis, models=(shown,))), "LineCollection_1")
        assert sum(bool(line.get("d")) for line in lines) == sum(band.flips.ci is not None for band in bands) > 0
