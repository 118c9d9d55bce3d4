"""The DET plot: the same points give the same bytes, and the curve lies where the rates are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from edge_sv.report.det import det_plot
from edge_sv.scoring.metrics import DetPoints, det_points

pytest.importorskip("matplotlib", reason="DET plots need matplotlib: pip install 'edge-sv[plot]'")


def normal_points(distance: float) -> DetPoints:
    generator = np.random.default_rng(0)
    labels = np.arange(4000) < 1000
    return det_points(generator.normal(size=4000) + distance * labels, labels)


def test_the_same_points_give_the_same_bytes() -> None:
    curves = {"near": normal_points(2), "far": normal_points(4)}
    first = det_plot(curves, title="list")
    assert det_plot(curves, title="list") == first
    assert det_plot({"near": curves["near"]}, title="list") != first
    assert not re.search(rb"20\d\d-\d\d-\d\d", first)


def test_it_is_svg_with_labels_as_text() -> None:
    points = normal_points(2)
    document = det_plot({"small net": points}, title="a list")
    root = ElementTree.fromstring(document)
    assert root.tag.endswith("svg")
    text = " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    nearest = np.argmin(np.abs(points.miss - points.false_accept))
    percent = re.search(r"small net: EER ([\d.]+)%", text)
    assert percent is not None and float(percent[1]) == pytest.approx(100 * points.miss[nearest], abs=0.05)
    assert "a list" in text and "miss rate, %" in text and "false-accept rate, %" in text


def test_normal_scores_of_equal_variance_draw_a_straight_line() -> None:
    """That is what normal-deviate axes are for."""
    document = det_plot({"normal": normal_points(2)}).decode()
    longest = max(re.findall(r'd="(M[^"]*)"', document), key=len)
    points = np.array([[float(v) for v in pair] for pair in re.findall(r"[ML] (\S+) (\S+)", longest)])
    middle = points[np.argsort(points[:, 0])][len(points) // 4 : -len(points) // 4]
    assert abs(np.corrcoef(middle.T)[0, 1]) > 0.995


def test_separated_lists_draw_too() -> None:
    assert b"EER 0.00%" in det_plot({"perfect": det_points([3, 2, 1, 0], [True, True, False, False])})
