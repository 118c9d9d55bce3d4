"""How the report's plots style: each model keeps its color, marker and line in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_sv.report.svg import COLORS, FLOAT_COLOR, MARKERS

Document = Mapping[str, Any]

WIDTH = 5.4
"""Inches; what a phone shows at about two thirds of its size."""


@dataclass(frozen=True)
class Figure:
    """A plot in the page: an SVG element and what stands below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class PlotStyle:
    """How a model is drawn in all plots."""

    name: str
    color: str
    marker: str
    line: str


def choose_styles(models: Sequence[Document]) -> dict[str, PlotStyle]:
    """Choose colors, markers and lines; float nets are dark and dashed."""
    styles: dict[str, PlotStyle] = {}
    converted = 0
    for model in models:
        if model["is_float"]:
            styles[model["label"]] = PlotStyle(model["short"], FLOAT_COLOR, "*", "--")
            continue
        line = ("-", "-.", ":")[converted // len(COLORS) % 3]
        color, marker = COLORS[converted % len(COLORS)], MARKERS[converted % len(MARKERS)]
        styles[model["label"]] = PlotStyle(model["short"], color, marker, line)
        converted += 1
    return styles


def slug(text: str) -> str:
    """Make letters, digits and dashes of a name, for ids."""
    return "".join(letter if letter.isalnum() else "-" for letter in text).strip("-").lower()
