"""``edge-sv analyze probe`` and ``edge-sv analyze languages``: what embeddings know, in float and compressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_sv.analysis.compared_models import find_compared_models
from edge_sv.analysis.languages import LanguageReport, compare_languages, read_language_list
from edge_sv.analysis.probe import TASKS, ProbeReport
from edge_sv.analysis.probe import probe as probe_embeddings
from edge_sv.cli.output import JsonOption, print_json, print_table
from edge_sv.cli.steps import show_steps
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.system.user_cache import user_cache_folder

Models = Annotated[
    list[str], typer.Argument(metavar="MODEL...", help="Nets (with all their converted forms), artifacts, packages.")
]
RuntimeOption = Annotated[str, typer.Option(help="Of converted models: tflite, tflm or c.")]
FloatOption = Annotated[bool, typer.Option("--float/--no-float", help="Compare with the float net (needs TensorFlow).")]
JobsOption = Annotated[
    int | None, typer.Option(min=1, help="Worker processes; default: one a core.", show_default=False)
]
CacheOption = Annotated[bool, typer.Option(help="Keep embeddings in ~/.cache/edge-sv, for the owner alone.")]


def probe(
    models: Models,
    data: Annotated[Path, typer.Option(metavar="INDEX.csv", help="Table of speech files; metadata.csv beside them.")],
    task: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(TASKS)}; repeatable; default: all.", show_default=False)
    ] = None,
    runtime: RuntimeOption = "tflite",
    float_net: FloatOption = True,
    jobs: JobsOption = None,
    cache: CacheOption = True,
    json: JsonOption = False,
) -> None:
    """Read out of embeddings what else than the speaker they tell: gender, age group, language, words.

    A linear classifier is trained on some speakers and tested on others, on the speakers of splits dev and test, whom
    no net was trained on. Accuracies are fractions in JSON; intervals come from drawing speakers. A task that a corpus
    has no metadata for is left out, with the reason.

    \b
    Examples:
      edge-sv analyze probe resnet-nano --data index.csv
      edge-sv analyze probe resnet-nano/palette_w4_ai8 resnet-nano/static_wi8_ai8 --data index.csv --task gender --json
    """
    compared = find_compared_models(models, runtime=runtime, keras=float_net)
    with show_steps() as steps, _embeddings(cache) as kept:
        report = probe_embeddings(compared, data, tasks=task or (), cache=kept, jobs=jobs, steps=steps)
    if json:
        print_json({"data": str(data), "runtime": runtime, **report.to_dict()})
        return
    print_table(_probe_table(report))
    for line in _probe_notes(report):
        typer.echo(line)


def languages(
    models: Models,
    trials: Annotated[
        Path,
        typer.Option(metavar="FILE|DIR", help="A list, or a folder with trials_test.txt; utterances.csv beside it."),
    ],
    runtime: RuntimeOption = "tflite",
    float_net: FloatOption = True,
    jobs: JobsOption = None,
    cache: CacheOption = True,
    json: JsonOption = False,
) -> None:
    """Measure trials within a language and across languages apart: EER, and errors at one threshold for all.

    The languages of recordings are told by `utterances.csv` or `metadata.csv` beside the list, column `language`.
    Scores are cosines. Rates are fractions in JSON; intervals come from drawing speakers.

    \b
    Examples:
      edge-sv analyze languages resnet-nano --trials dsp20
      edge-sv analyze languages resnet-nano/palette_w4_ai8 --no-float --trials dsp20/trials_test.txt --json
    """
    compared = find_compared_models(models, runtime=runtime, keras=float_net)
    with show_steps() as steps, _embeddings(cache) as kept:
        report = compare_languages(compared, read_language_list(trials), cache=kept, jobs=jobs, steps=steps)
    if json:
        print_json({"runtime": runtime, **report.to_dict()})
        return
    print_table(_language_table(report))
    for pair, reason in report.skipped.items():
        typer.echo(f"{pair} left out: {reason}")


def _embeddings(wanted: bool) -> AbstractContextManager[EmbeddingCache | None]:
    return closing(EmbeddingCache(user_cache_folder())) if wanted else nullcontext()


def _probe_table(report: ProbeReport) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("task")
    table.add_column("corpus")
    table.add_column("model")
    for title in ("accuracy %", "95 %", "to float", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in report.probes:
        table.add_row(each.task, each.corpus, "most frequent answer", f"{100 * each.majority:.1f}", "", "", "")
        for reading in each.readings:
            accuracy = (f"{100 * reading.accuracy:.1f}", _interval(reading.accuracy_ci, ""))
            table.add_row("", "", reading.model, *accuracy, *_change(reading.change, reading.change_ci))
        table.add_section()
    return table


def _probe_notes(report: ProbeReport) -> Iterator[str]:
    for each in report.probes:
        unseen = " and ".join({"text": "words"}.get(what, what) for what in each.unseen)
        caution = f"; {each.caution}" if each.caution else ""
        counts = f"{each.recordings} recordings of {each.speakers} speakers, {len(each.classes)} answers"
        yield f"{each.task}, {each.corpus}: {counts}; unseen {unseen}{caution}"
    for skipped in report.skipped:
        yield f"{skipped.task}, {skipped.corpus} left out: {skipped.reason}"


def _language_table(report: LanguageReport) -> Table:
    table = Table(title=report.source, title_justify="left", box=None, pad_edge=False)
    table.add_column("enroll-test")
    table.add_column("model")
    for title in ("EER %", "95 %", "to float", "95 %", "FA %", "FR %"):
        table.add_column(title, justify="right", no_wrap=True)
    for pair in report.pairs:
        table.add_row(pair.name, f"{pair.trials} trials, {pair.targets} target, {pair.speakers} speakers")
        for errors in pair.errors:
            rates = (f"{100 * rate:.1f}" for rate in (errors.false_accept_rate, errors.false_reject_rate))
            eer = (f"{100 * errors.eer:.2f}", _interval(errors.eer_ci, ""))
            table.add_row("", errors.model, *eer, *_change(errors.change, errors.change_ci), *rates)
        table.add_section()
    table.caption = "FA, FR: errors at the model's EER threshold on the whole list"
    return table


def _change(change: float | None, ends: tuple[float, float] | None) -> tuple[str, str]:
    return ("", "") if change is None or ends is None else (f"{100 * change:+.1f}", _interval(ends, "+"))


def _interval(ends: tuple[float, float], sign: str) -> str:
    return f"{100 * ends[0]:{sign}.1f} to {100 * ends[1]:{sign}.1f}"
