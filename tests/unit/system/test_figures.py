"""Plots as files: the format that the name asks for, and the same bytes each time."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from edge_sv.errors import UsageError, printable
from edge_sv.system.figures import FORMATS, figure_format, render_figure

pytest.importorskip("matplotlib", reason="pip install 'edge-sv[plot]'")
BEGIN = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def draw(figure: Any) -> None:
    figure.add_subplot(title="one line").plot([0, 1], [0, 1])


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_what_its_suffix_says_and_the_same_each_time(name: str) -> None:
    assert figure_format(Path(f"a.b.{name.upper()}")) == name
    first = render_figure(draw, width=3, height=2, file_format=name)
    assert first.startswith(BEGIN[name])
    assert render_figure(draw, width=3, height=2, file_format=name) == first


@pytest.mark.parametrize("name", ["det", "det.jpg", "det.svg.gz", ".svg"])
def test_other_suffixes_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written") as caught:
        figure_format(Path(name))
    assert ".svg, .png, .pdf" in str(caught.value)


def test_text_stays_text_in_svg() -> None:
    assert b">one line</text>" in render_figure(draw, width=3, height=2, file_format="svg")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("title", [r"a$\frac{$.txt", "red\x1b[31m\x01", "r\udce9s", "字"])
def test_a_title_may_be_any_file_s_name(title: str, file_format: str, recwarn: pytest.WarningsRecorder) -> None:
    data = render_figure(lambda figure: figure.add_subplot(title=title), width=3, height=2, file_format=file_format)
    assert data.startswith(BEGIN[file_format]) and not recwarn
    if file_format == "svg":
        shown = "".join(ElementTree.fromstring(data).itertext())
        assert printable(title) in shown
