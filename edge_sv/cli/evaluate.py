"""``edge-sv evaluate``: score a trial list."""

from __future__ import annotations

import csv
import functools
import io
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_sv.audio.noisy_copy import read_noisy_copy
from edge_sv.cli.choices import parse_choice
from edge_sv.cli.output import JsonOption, plot_option, print_json, print_table, progress_bar
from edge_sv.embedders import open_artifact, open_embedder
from edge_sv.embedders.open import default_runtime
from edge_sv.errors import UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import Evaluation, evaluate, model_scoring
from edge_sv.report.det import det_plot
from edge_sv.scoring.metrics import det_points
from edge_sv.scoring.scores import Scoring, ScoringKind
from edge_sv.scoring.trials import TrialList, find_recordings, read_trials
from edge_sv.system.figures import figure_format
from edge_sv.system.files import write_atomic
from edge_sv.system.user_cache import user_cache_folder


def command(
    model: Annotated[str, typer.Argument(help="A bundled net's name, a folder or a file.")],
    trials: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Lines of 'label enroll test' (label 1: same speaker), or as Kaldi writes."),
    ],
    audio: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that the list's ids are paths in.", show_default=False)
    ] = None,
    utterances: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Columns utt_id, files (a|b|c) and speaker.", show_default=False)
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="tflite (default), tflm, c, emulator or keras.", show_default=False)
    ] = None,
    scoring: Annotated[
        str | None, typer.Option(help="cosine or as_norm; default: the model's own.", show_default=False)
    ] = None,
    noise: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Degrade the recordings with this folder's test noises.", show_default=False),
    ] = None,
    snr: Annotated[tuple[float, float], typer.Option(metavar="LO HI", help="With --noise: dB, drawn between.")] = (
        5,
        15,
    ),
    reverb: Annotated[float, typer.Option(metavar="SHARE", help="With --noise: share put into a room.")] = 0.5,
    seed: Annotated[int, typer.Option(help="With --noise: another seed, another copy.")] = 0,
    plot: Annotated[Path | None, plot_option("Draw the DET curve;")] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write every trial's score.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one a core.", show_default=False)
    ] = None,
    cache: Annotated[bool, typer.Option(help="Keep embeddings in ~/.cache/edge-sv, for the owner alone.")] = True,
    json: JsonOption = False,
) -> None:
    """Score a trial list: EER, minDCF and Cllr with 95 % intervals, and the errors at the model's threshold.

    Every recording is embedded once; an interrupted run goes on where it stopped. EERs are fractions in JSON. The
    intervals come from drawing speakers, so the ids must tell them: by the utterances' speaker column, or by their
    first folder.

    \b
    Examples:
      edge-sv evaluate resnet-nano --trials so762/trials_test.txt --audio so762
      edge-sv evaluate resnet-nano --trials sc12/trials_test.txt --audio sc12 --utterances sc12/utterances.csv --json
      edge-sv evaluate out/package --trials list.txt --audio wav --runtime tflm --plot det.svg
      edge-sv evaluate resnet-nano --trials list.txt --audio wav --noise noise --snr 5 15 --reverb 0.5
    """
    if audio is None and utterances is None:
        raise UsageError("no recordings given", hint="give --audio DIR, or --utterances CSV, or both")
    kind = parse_choice("scoring", scoring, ScoringKind)
    trial_list = read_trials(trials)
    recordings = find_recordings(trial_list, audio or Path(), utterances=utterances)
    shipped, cohort = model_scoring(model, runtime=runtime)
    with (
        progress_bar() as bar,
        closing(EmbeddingCache(user_cache_folder())) if cache else nullcontext() as embeddings,
    ):
        task = bar.add_task("embedding", total=len(recordings.files))
        result = evaluate(
            functools.partial(open_embedder, model, runtime=runtime),
            trial_list,
            recordings,
            scoring=_choose(kind, shipped),
            cohort=cohort,
            noise=read_noisy_copy(noise, snr_db=snr, reverb_share=reverb, seed=seed) if noise else None,
            cache=embeddings,
            jobs=jobs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if scores:
        write_atomic(scores, _scores_csv(trial_list, result))
    if plot:
        curves = {model: det_points(result.scores, trial_list.labels)}
        write_atomic(plot, det_plot(curves, title=str(trials), file_format=figure_format(plot)))
    if json:
        print_json(
            {
                "model": model,
                "runtime": runtime or default_runtime(open_artifact(model)),
                "trial_list": str(trials),
                **result.to_dict(),
            }
        )
    else:
        print_table(_table(result, f"{model} on {trials}"))


def _choose(wanted: ScoringKind | None, shipped: Scoring | None) -> Scoring | ScoringKind:
    """Take the model's own scoring where it is of the wanted kind; another kind has no threshold yet."""
    if shipped is not None and wanted in (None, shipped.kind):
        return shipped
    return wanted or "cosine"


def _scores_csv(trials: TrialList, result: Evaluation) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["label", "enroll", "test", "score"])
    for trial, score in zip(trials, result.scores, strict=True):
        writer.writerow([int(trial.label), trial.enroll, trial.test, f"{score:.6f}"])
    return stream.getvalue().encode()


def _table(result: Evaluation, title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in _rows(result):
        table.add_row(*row)
    return table


def _rows(result: Evaluation) -> list[tuple[str, str, str]]:
    def interval(ends: tuple[float, float] | None, form: str) -> str:
        return (
            f"95 %: {ends[0]:{form}} to {ends[1]:{form}}"
            if ends
            else "no speaker labels: give --utterances with a speaker column"
        )

    source = "the model's" if result.threshold_source == "model" else "this list's own at its EER"
    counts = f"{result.targets} target, {result.recordings} recordings, {result.speakers} speakers"
    return [
        ("trials", str(result.trials), counts),
        ("scoring", result.scoring, ""),
        ("EER", f"{result.eer:.2%}", interval(result.eer_ci, ".2%")),
        *(
            (f"minDCF({p})", f"{cost:.3f}", interval((result.min_dcf_ci or {}).get(p), ".3f"))
            for p, cost in result.min_dcf.items()
        ),
        ("Cllr / min", f"{result.cllr:.3f} / {result.min_cllr:.3f}", "bits; scores taken as log-likelihood ratios"),
        ("threshold", f"{result.threshold:.3f}", source),
        ("  false accepts", f"{result.false_accept_rate:.2%}", "of non-target trials, at the threshold"),
        ("  false rejects", f"{result.false_reject_rate:.2%}", "of target trials, at the threshold"),
        *((f"  actDCF({p})", f"{cost:.3f}", "") for p, cost in result.act_dcf.items()),
    ]
