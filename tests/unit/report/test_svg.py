"""Plots in a page: ids of their own, no style that leaks, the same bytes for the same plot."""

from __future__ import annotations

import re

import pytest

from edge_sv.report.svg import inline_svg, new_figure

pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'edge-sv[plot]'")


def draw(name: str, *, slope: float = 1.0) -> str:
    with new_figure(3, 2) as figure:
        axes = figure.add_subplot(xlabel="frames")
        axes.plot([0, 1, 2], [0, slope, 2 * slope], marker="o", label="one")
        axes.legend()
        return inline_svg(figure, name, "A line & a legend.")


def test_ids_are_the_figures_own() -> None:
    first, second = (set(re.findall(r'\bid="([^"]+)"', draw(name))) for name in ("one", "two"))
    assert first and not first & second
    assert all(name.startswith("one-") for name in first)


def test_references_lead_to_ids() -> None:
    text = draw("one")
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    references = re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text)
    assert references and set(references) <= ids


def test_it_stands_in_a_page() -> None:
    text = draw("one")
    assert text.startswith("<svg") and "<style" not in text and "<metadata" not in text
    assert '<title id="one-title">A line &amp; a legend.</title>' in text
    assert 'role="img"' in text and 'aria-labelledby="one-title"' in text
    assert re.search(r">\s*frames\s*</text>", text), "text stays text"
    assert not re.search(r'<svg[^>]*\b(width|height)="', text), "the page decides the size"


def test_the_same_plot_is_the_same_bytes() -> None:
    assert draw("one") == draw("one") != draw("one", slope=2.0)


def test_names_of_any_bytes_are_shown_escaped() -> None:
    with new_figure(3, 2) as figure:
        figure.add_subplot(title="a$b$\x1b\udce9")
        element = inline_svg(figure, "plot", "of \x1b\udce9")
    assert element.count(r"\x1b\udce9") == 2 and r"a$b$" in element and "\x1b" not in element
