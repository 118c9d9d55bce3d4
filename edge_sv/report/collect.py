"""Gather everything that the report shows into one document, `report.json`; the page is drawn from it alone.

A section that cannot be made here (a missing tool, no data, metadata that do not exist) is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge_sv.analysis.compared_models import ComparedModel, find_compared_models, has_tensorflow
from edge_sv.analysis.languages import compare_languages, read_language_list
from edge_sv.analysis.probe import probe
from edge_sv.analysis.weights import analyze_weights
from edge_sv.errors import EdgeSvError, UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.report.converted_models import FACT_NAMES, ConvertedModelFacts, describe_converted_model
from edge_sv.report.lists import LIST_FILE, evaluate_lists, find_lists
from edge_sv.report.nets import NetFacts, describe_net
from edge_sv.scoring.speech_index import read_index
from edge_sv.system.extras import has_extra
from edge_sv.system.progress import Steps
from edge_sv.system.version import __version__

SCHEMA_VERSION = 1

Document = dict[str, Any]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Request:
    """What a report is asked for.

    Args:
        models: nets, runs, artifacts, packages; see `find_compared_models`.
        command: the command line, for people to repeat it.
        data: table of speech files; without it nothing is run.
        runtime: that converted models are run in.
        jobs: worker processes.
    """

    models: tuple[str, ...]
    command: str
    data: Path | None = None
    runtime: str = "tflite"
    jobs: int | None = None


class _Sections:
    """Makes sections one by one, and notes which are left out and why."""

    def __init__(self) -> None:
        self.left_out: list[dict[str, str]] = []

    def make(self, name: str, work: Callable[[], Value]) -> Value | None:
        try:
            return work()
        except EdgeSvError as error:
            self.leave_out(name, error.message + (f" ({error.hint})" if error.hint else ""))
            return None

    def leave_out(self, name: str, reason: str) -> None:
        self.left_out.append({"section": name, "reason": reason})


def collect_report(request: Request, *, cache: EmbeddingCache | None = None, steps: Steps | None = None) -> Document:
    """Gather a report's figures.

    Args:
        request: what is asked for.
        cache: embeddings computed before; with it an interrupted report goes on where it stopped.
        steps: reports what is being done.

    Returns:
        A document of JSON values; the same models and data give the same document.

    Raises:
        UsageError: there is no such model.
        DataError: a model, the table or a list is damaged.
    """
    compared = find_compared_models(request.models, runtime=request.runtime)
    names = list(dict.fromkeys(each.net for each in compared))
    forms = _largest_first([describe_converted_model(each, each.artifact) for each in compared if each.artifact])
    places = {form.label: number for number, form in enumerate(forms)}
    compared.sort(key=lambda each: (names.index(each.net), places.get(each.label, -1)))
    runnable = [each for each in compared if each.artifact or has_tensorflow()]
    nets = [describe_net([each for each in compared if each.net == name]) for name in names]
    sections = _Sections()
    _leave_out_what_is_missing(sections, nets, forms, all_run=len(runnable) == len(compared))
    return {
        "schema_version": SCHEMA_VERSION,
        "edge_sv": __version__,
        "title": ", ".join(names),
        "command": request.command,
        "data": None if request.data is None else str(request.data),
        "runtime": request.runtime,
        "models": _models(compared, nets, forms),
        "nets": [net.to_dict() for net in nets],
        "forms": [form.to_dict() for form in forms],
        "weights": _weights(compared, sections),
        "layers": _layers(compared, request, sections, steps),
        **_speech_sections(runnable, request, sections, cache, steps),
        "left_out": sections.left_out,
    }


def _leave_out_what_is_missing(
    sections: _Sections, nets: Sequence[NetFacts], forms: Sequence[ConvertedModelFacts], *, all_run: bool
) -> None:
    if not all_run:
        sections.leave_out("float nets", "TensorFlow is not installed, which runs them (pip install 'edge-sv[train]')")
    if not has_extra("plot"):
        sections.leave_out("plots", "matplotlib is not installed, which draws them (pip install 'edge-sv[plot]')")
    for net in nets:
        if net.folder is not None and net.history is None:
            sections.leave_out("training history", f"no history.csv in {net.folder}")
    if not forms:
        sections.leave_out("converted models", "none of the folders holds one (edge-sv convert makes one)")


def _models(
    compared: Sequence[ComparedModel], nets: Sequence[NetFacts], forms: Sequence[ConvertedModelFacts]
) -> list[Document]:
    """List all models with the bytes that they are compared by: of the most compact form that all of them have."""
    common = _common_form(forms)
    by_label, by_name = {form.label: form for form in forms}, {net.name: net for net in nets}
    rows = []
    for candidate in compared:
        form, float_bytes = by_label.get(candidate.label), by_name[candidate.net].float_bytes
        size = float_bytes if form is None else form.flash[common]["total"] if common else None
        rows.append(
            {
                "label": candidate.label,
                "short": candidate.form if len(nets) == 1 else candidate.label,
                "net": candidate.net,
                "form": candidate.form,
                "is_float": candidate.artifact is None,
                "bytes": size,
                "bytes_of": "parameters" if form is None else common,
                "ratio": None if not size or not float_bytes else float_bytes / size,
                "mean_bits": 32.0 if form is None else form.mean_bits,
                "dev_eer": _dev_eer(candidate, forms),
            }
        )
    return rows


def _common_form(forms: Sequence[ConvertedModelFacts]) -> str | None:
    """Choose the most compact form that all models can take."""
    return next((kind for kind in FACT_NAMES if forms and all(kind in form.flash for form in forms)), None)


def _largest_first(forms: Sequence[ConvertedModelFacts]) -> list[ConvertedModelFacts]:
    common = _common_form(forms)
    return sorted(forms, key=lambda form: (-form.flash[common]["total"] if common else 0, form.recipe))


def _dev_eer(candidate: ComparedModel, forms: Sequence[ConvertedModelFacts]) -> float | None:
    """Find the EER on the development lists that the check measured; a float net's stands with what it became."""
    for form in forms:
        if form.label == candidate.label:
            return form.check.get("eer_int8")
        if candidate.is_float and form.net == candidate.net and form.check:
            return (form.check.get("uncompressed") or {}).get("eer", form.check.get("eer_float"))
    return None


def _weights(compared: Sequence[ComparedModel], sections: _Sections) -> Document | None:
    folders = [each.path for each in compared if each.artifact is None]
    if not folders:
        sections.leave_out("weight distributions", "no float net at hand")
        return None
    found = sections.make("weight distributions", lambda: analyze_weights(folders))
    return None if found is None else found.to_dict()


def _layers(
    compared: Sequence[ComparedModel], request: Request, sections: _Sections, steps: Steps | None
) -> list[Document]:
    """Trace every converted model against its float net, layer by layer."""
    from edge_sv.analysis.layers import analyze_layers

    found = []
    for candidate in compared:
        if candidate.artifact is None:
            continue
        path, progress = candidate.path, steps(f"{candidate.label}, layers") if steps else None
        analysis = sections.make(
            f"error by layer, {candidate.label}",
            lambda path=path, progress=progress: analyze_layers(path, index=request.data, progress=progress),  # type: ignore[misc]
        )
        if analysis is not None:
            found.append({"label": candidate.label, **analysis.to_dict()})
    return found


def _speech_sections(
    compared: Sequence[ComparedModel],
    request: Request,
    sections: _Sections,
    cache: EmbeddingCache | None,
    steps: Steps | None,
) -> Document:
    """Run the models on speech: error rates, drift, probing, trials across languages."""
    index, jobs = request.data, request.jobs
    if index is None:
        reason = "no speech was given (--data INDEX.csv)"
        for name in ("error rates on test lists", "score drift", "probing", "trials across languages"):
            sections.leave_out(name, reason)
        return {"lists": [], "probes": None, "languages": []}
    if not compared:
        raise UsageError("none of the models can be run here", hint="pip install 'edge-sv[train]'")
    lists = sections.make("error rates on test lists", lambda: find_lists(index))
    reports = evaluate_lists(compared, lists, cache=cache, jobs=jobs, steps=steps) if lists else []

    def start(what: str) -> Steps | None:
        return None if steps is None else lambda label: steps(f"{label}, {what}")

    probed = sections.make("probing", lambda: probe(compared, index, cache=cache, jobs=jobs, steps=start("probing")))
    languages = []
    for folder in _mixed_corpora(index):
        found = sections.make(
            f"trials across languages, {folder.name}",
            lambda folder=folder: compare_languages(  # type: ignore[misc]
                compared, read_language_list(folder), cache=cache, jobs=jobs, steps=start("languages")
            ),
        )
        languages += [] if found is None else [found.to_dict()]
    if not languages:
        sections.leave_out("trials across languages", "no test list mixes languages")
    return {
        "lists": [report.to_dict() for report in reports],
        "probes": None if probed is None else probed.to_dict(),
        "languages": languages,
    }


def _mixed_corpora(index: Path) -> list[Path]:
    """Find the corpora whose test list holds more than one language."""
    mixed = []
    for corpus in sorted({file.corpus for file in read_index(index)}):
        folder = index.parent / corpus
        if not (folder / LIST_FILE).is_file():
            continue
        try:
            languages = set(read_language_list(folder).languages.values())
        except EdgeSvError:  # a corpus whose languages are not told
            continue
        if len(languages) > 1:
            mixed.append(folder)
    return mixed
