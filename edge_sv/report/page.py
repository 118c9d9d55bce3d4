"""The page: templates and plots, filled from the report's document and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from edge_sv.errors import DataError
from edge_sv.report.collect import SCHEMA_VERSION
from edge_sv.report.converted_models import FACT_NAMES
from edge_sv.report.figures import draw_figures
from edge_sv.system.files import write_atomic
from edge_sv.system.templates import open_templates

PAGE_FILE, DOCUMENT_FILE = "report.html", "report.json"
TEMPLATES = Path(__file__).resolve().parent / "templates"
NONE = "–"
"""What stands where there is no figure."""
UNENCODABLE = "backslashreplace"
"""Bytes of a file's name that are not UTF-8 are written escaped."""

Document = Mapping[str, Any]
Filter = Callable[..., Any]


@dataclass(frozen=True)
class _Section:
    """A section of the page: its template's name, its title, and what tells whether there is anything in it."""

    id: str
    title: str
    has: Callable[[Document], bool]


SECTIONS = (
    _Section("summary", "In short", lambda report: bool(report["models"])),
    _Section("nets", "The net", lambda report: bool(report["nets"])),
    _Section("history", "Training", lambda report: any(net["history"] for net in report["nets"])),
    _Section("flash", "Flash and bits", lambda report: bool(report["forms"])),
    _Section("check", "Check", lambda report: any(form["check"] for form in report["forms"])),
    _Section("lists", "Error rates", lambda report: bool(report["lists"])),
    _Section("drift", "Score drift and flips", lambda report: _drifts(report)),
    _Section("weights", "Weights", lambda report: report["weights"] is not None),
    _Section("layers", "Error by layer", lambda report: bool(report["layers"])),
    _Section("probes", "What embeddings know", lambda report: report["probes"] is not None),
    _Section("languages", "Across languages", lambda report: bool(report["languages"])),
    _Section("left-out", "Left out", lambda report: bool(report["left_out"])),
)


def write_report(document: Document, out: Path) -> Path:
    """Write `report.json` and `report.html` into a folder; return the page.

    Raises:
        DataError: the folder is not writable or the disk is full.
    """
    page = render_page(document)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(out / DOCUMENT_FILE, f"{text}\n".encode(errors=UNENCODABLE))
    write_atomic(out / PAGE_FILE, page.encode(errors=UNENCODABLE))
    return out / PAGE_FILE


def render_page(document: Document) -> str:
    """Draw the page of a document; the same document gives the same page, and it asks for nothing from outside.

    Raises:
        DataError: another version wrote the document.
    """
    if document.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"the document has schema_version {document.get('schema_version')}, not {SCHEMA_VERSION}")
    environment = open_templates(TEMPLATES, filters=_FILTERS, trim_blocks=True)
    return environment.get_template("report.html.j2").render(
        report=document,
        figures=draw_figures(document),
        sections=[section for section in SECTIONS if section.has(document)],
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
    )


def _drifts(report: Document) -> bool:
    return bool(report["lists"]) and any(errors["drift"] for errors in report["lists"][-1]["errors"])


def _known(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(value: float | None, digits: int = 2, *, sign: str = "") -> str:
    """Write a number with a proper minus sign, and zero without one."""
    if value is None or not _known(value):
        return NONE
    rounded = round(value, digits)
    return f"{rounded:{sign},.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def _percent(value: float | None, digits: int = 2, *, sign: str = "") -> str:
    """Write a fraction in percent, without the sign of it."""
    return _number(100 * value if value is not None and _known(value) else None, digits, sign=sign)


def _interval(ends: Sequence[float] | None, digits: int = 1, *, sign: str = "") -> str:
    """Write an interval of fractions in percent."""
    return NONE if ends is None else f"{_percent(ends[0], digits, sign=sign)} to {_percent(ends[1], digits, sign=sign)}"


def _signed_number(value: float | None, digits: int = 2) -> str:
    return _number(value, digits, sign="+")


def _signed(value: float | None, digits: int = 2) -> str:
    return _percent(value, digits, sign="+")


def _signed_interval(ends: Sequence[float] | None, digits: int = 1) -> str:
    return _interval(ends, digits, sign="+")


def _count(value: int | None) -> str:
    return _number(value, 0)


def _unit(column: str) -> Markup:
    """Write a column's title, `name | unit`; a leading `<` says that it holds text."""
    name, _, unit = column.removeprefix("<").partition(" | ")
    return escape(name) + (Markup(" <small>{}</small>").format(unit) if unit else "")


def _named(rows: Sequence[Document], key: str, value: str) -> Any:
    return next((row for row in rows if row[key] == value), None)


def _short(models: Sequence[Document], label: str) -> str:
    return str(_named(models, "label", label)["short"])


def _ran(models: Sequence[Document], report: Document) -> list[Document]:
    """Keep the models that a list was scored with."""
    return [model for model in models if _named(report["errors"], "model", model["label"])]


def _layer_names(forms: Sequence[Document]) -> list[str]:
    return list(dict.fromkeys(layer for form in forms for layer in form["bits"]))


def _layers_of(report: Document, net: str) -> list[Document]:
    nets = {form["label"]: form["net"] for form in report["forms"]}
    return [each for each in report["layers"] if nets[each["label"]] == net]


def _traced_names(traced: Sequence[Document]) -> list[str]:
    return list(dict.fromkeys(layer["layer"] for each in traced for layer in each["layers"]))


def _model_names(report: Document) -> str:
    """Name what was asked for, as on the command line."""
    return " ".join(dict.fromkeys(net["folder"] or net["name"] for net in report["nets"]))


def _folder_of(nets: Sequence[Document], name: str) -> str:
    return str(_named(nets, "name", name)["folder"])


def _dev_name(column: str) -> str:
    """Write a history column for people: `dev_eer_so762_noisy` -> `development EER, so762 noisy`."""
    if not column.startswith("dev_eer"):
        return column.replace("_", " ")
    name = column.removeprefix("dev_eer").strip("_").replace("_", " ")
    return f"development EER, {name or 'mean'}"


def _form_name(form: str) -> str:
    return {**FACT_NAMES, "parameters": "4 bytes a parameter"}[form]


def _unseen_name(what: str) -> str:
    return {"speaker": "speakers", "text": "words"}[what]


_FILTERS: dict[str, Filter] = {
    "count": _count,
    "dev_name": _dev_name,
    "epoch_name": lambda row: f"epoch {row + 1}",
    "folder_of": _folder_of,
    "form_name": _form_name,
    "interval": _interval,
    "layer_names": _layer_names,
    "layers_of": _layers_of,
    "model_names": _model_names,
    "named": lambda layers, name: _named(layers, "layer", name),
    "number": _number,
    "of_model": lambda errors, label: _named(errors, "model", label),
    "percent": _percent,
    "ran": _ran,
    "short": _short,
    "signed": _signed,
    "signed_interval": _signed_interval,
    "signed_number": _signed_number,
    "traced_names": _traced_names,
    "unit": _unit,
    "unseen_name": _unseen_name,
}
