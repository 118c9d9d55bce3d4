"""The page shows the document's figures and nothing else, whichever of them there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.errors import DataError
from edge_sv.report.page import NONE, SECTIONS, render_page, write_report
from tests.html_page import Page
from tests.unit.report.documents import Document, make_document, make_net

Change = Callable[[Document], object]


@pytest.fixture
def document() -> Document:
    return make_document()


@pytest.fixture
def unplotted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages as they are without matplotlib, which is quick; plots have their own tests."""
    monkeypatch.setattr("edge_sv.report.figures.has_extra", lambda name: name != "plot")


def cells(page: Page) -> str:
    return " ".join(word.strip() for word in page.words if word.strip())


def test_every_section_that_has_something_is_there(document: Document) -> None:
    page = Page(render_page(document))
    assert page.open == []
    assert {section.id for section in SECTIONS} <= set(page.values("id"))


EMPTY: dict[str, Change] = {
    "history": lambda d: d["nets"][0].update(history=None),
    "flash": lambda d: d.update(forms=[], layers=[], models=[{**model, "bytes_of": None} for model in d["models"]]),
    "check": lambda d: [form.update(check={}) for form in d["forms"]],
    "lists": lambda d: d.update(lists=[]),
    "drift": lambda d: [errors.update(drift=None) for errors in d["lists"][-1]["errors"]],
    "weights": lambda d: d.update(weights=None),
    "layers": lambda d: d.update(layers=[]),
    "probes": lambda d: d.update(probes=None),
    "languages": lambda d: d.update(languages=[]),
    "left-out": lambda d: d.update(left_out=[]),
}


@pytest.mark.usefixtures("unplotted")
@pytest.mark.parametrize("section", EMPTY)
def test_a_section_without_figures_is_left_out(document: Document, section: str) -> None:
    EMPTY[section](document)
    page = Page(render_page(document))
    assert page.open == [] and section not in page.values("id")


@pytest.mark.usefixtures("unplotted")
def test_figures_are_written_for_people(document: Document) -> None:
    text = cells(Page(render_page(document)))
    for wanted in ("6.33", "+2.22", "10,000", "40,000", "4.5", "−0.010", "+0.020", "0.9912", "epoch 2"):
        assert wanted in text, wanted
    assert "nan" not in text and "None" not in text


def run_without_float(document: Document) -> None:
    """Speech was given, and float nets cannot run here."""
    for errors in (each["errors"] for each in document["lists"]):
        del errors[0]
        for one in errors:
            one.update(drift=None, change=None, change_ci=None)
    for rows in (*document["probes"]["probes"], *(pair for each in document["languages"] for pair in each["pairs"])):
        del rows["readings" if "readings" in rows else "errors"][0]


NO_BYTES = dict.fromkeys(("bytes", "bytes_of", "ratio"))
NO_COSTS = dict.fromkeys(("parameters", "macs", "macs_per_second", "float_bytes"))
NO_FOLDER = {"config": {}, "dev": {}, **dict.fromkeys(("folder", "family", "history", "epoch"))}
NO_INTERVALS = dict.fromkeys(("eer_ci", "change_ci"))
CHANGES: dict[str, Change] = {
    "float nets were not run": run_without_float,
    "no intervals on lists": lambda d: [row.update(NO_INTERVALS) for each in d["lists"] for row in each["errors"]],
    "no form that all can take": lambda d: [model.update(NO_BYTES) for model in d["models"]],
    "no float net": lambda d: d["nets"][0].update(NO_FOLDER),
    "unknown costs": lambda d: d["nets"][0].update(NO_COSTS),
    "a gap in the history": lambda d: d["nets"][0]["history"].update(loss=[None, None, 1.0]),
    "one was never checked": lambda d: d["forms"][0].update(check={}, scoring=None),
    "unknown bits": lambda d: d["forms"][0].update(bits={}, mean_bits=None),
    "one score for all": lambda d: d["lists"][-1]["errors"][1]["drift"].update(correlation=None),
    "AS-norm": lambda d: d["forms"][0]["scoring"].update(kind="as_norm"),
}


@pytest.mark.usefixtures("unplotted")
@pytest.mark.parametrize("change", CHANGES)
def test_a_figure_that_is_unknown_is_a_dash(document: Document, change: str) -> None:
    before = cells(Page(render_page(document)))
    CHANGES[change](document)
    page = Page(render_page(document))
    assert page.open == [] and cells(page) != before
    assert NONE in cells(page) or change in ("AS-norm", "no float net")


@pytest.mark.usefixtures("unplotted")
def test_a_float_net_that_was_not_run_is_still_listed(document: Document) -> None:
    run_without_float(document)
    assert "not run" in cells(Page(render_page(document)))


def test_two_nets_are_told_apart(document: Document) -> None:
    document["nets"].append({**make_net(), "name": "other", "folder": "runs/other"})
    page = Page(render_page(document))
    assert page.tags["h3"] >= 2 and page.tags["svg"] == page.tags["figure"] > 0
    ids = page.values("id")
    assert len(ids) == len(set(ids))


@pytest.mark.usefixtures("unplotted")
def test_what_people_name_is_text_and_never_part_of_the_page(document: Document) -> None:
    name = "<script>alert('&')</script>\""
    text = json.dumps(document).replace("runs/net", json.dumps(name)[1:-1])
    page = Page(render_page(json.loads(text)))
    assert not page.tags["script"] and page.open == []
    assert name in cells(page)


def test_both_files_are_written_and_the_same_document_gives_the_same_bytes(document: Document, tmp_path: Path) -> None:
    page = write_report(document, tmp_path / "one")
    assert page == tmp_path / "one" / "report.html"
    kept = json.loads((tmp_path / "one" / "report.json").read_text())
    assert kept == document
    write_report(kept, tmp_path / "two")
    for name in ("report.html", "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.usefixtures("unplotted")
def test_a_page_that_cannot_be_drawn_leaves_the_old_report(document: Document, tmp_path: Path) -> None:
    write_report(document, tmp_path)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(DataError):
        write_report({**document, "schema_version": 0}, tmp_path)
    assert (tmp_path / "report.json").read_bytes() == before


@pytest.mark.parametrize("version", [99, None, "1"])
def test_another_version_s_document_is_refused(document: Document, version: object) -> None:
    with pytest.raises(DataError, match=f"schema_version {version}"):
        render_page({**document, "schema_version": version})


def test_a_net_in_a_folder_of_any_bytes(document: Document, tmp_path: Path) -> None:
    document["nets"][0]["folder"] = "r\udce9s/net"
    page = write_report(document, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == document
    assert r"r\udce9s/net" in page.read_text()
