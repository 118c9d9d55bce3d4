"""Every section has its plots, drawn from the document alone; what has no figures has no plot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'edge-sv[plot]'")

from edge_sv.report import figures
from edge_sv.report.figures import SECTIONS, draw_figures
from tests.unit.report.documents import make_document

EMPTY: dict[str, Callable[[dict[str, Any]], object]] = {
    "front": lambda d: [model.update(bytes=None) for model in d["models"][1:]],
    "history": lambda d: d["nets"][0].update(history=None),
    "flash": lambda d: [model.update(bytes_of=None, bytes=None) for model in d["models"][1:]],
    "weights": lambda d: d.update(weights=None),
    "layers": lambda d: d.update(layers=[]),
    "det": lambda d: d.update(lists=[]),
    "drift": lambda d: [errors.update(drift=None) for errors in d["lists"][-1]["errors"]],
    "probes": lambda d: d.update(probes=None),
    "languages": lambda d: d.update(languages=[]),
}


def test_a_whole_document_fills_every_section_with_ids_that_do_not_clash() -> None:
    drawn = draw_figures(make_document())
    assert tuple(drawn) == SECTIONS == tuple(EMPTY)
    assert {section: len(plots) for section, plots in drawn.items()} == dict.fromkeys(SECTIONS, 1) | {"det": 2}
    page = "".join(plot.svg for plots in drawn.values() for plot in plots)
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert all(plot.caption.endswith(".") for plots in drawn.values() for plot in plots)


@pytest.mark.parametrize("section", SECTIONS)
def test_without_its_figures_a_section_has_no_plot(section: str) -> None:
    document = make_document()
    EMPTY[section](document)
    assert draw_figures(document)[section] == []


def test_without_matplotlib_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "has_extra", lambda name: name != "plot")
    assert draw_figures(make_document()) == {section: [] for section in SECTIONS}
