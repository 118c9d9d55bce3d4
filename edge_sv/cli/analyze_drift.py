"""``edge-sv analyze drift``: how scores drift from the float net's, and which decisions flip."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_sv.analysis.drift import DriftAnalysis, FlipRate, ModelDrift, analyze_drift
from edge_sv.cli.choices import parse_choice
from edge_sv.cli.output import JsonOption, plot_option, print_json, print_table, progress_bar
from edge_sv.errors import UsageError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.scoring.scores import ScoringKind
from edge_sv.scoring.trials import find_recordings, read_trials
from edge_sv.system.figures import figure_format
from edge_sv.system.files import write_atomic
from edge_sv.system.user_cache import user_cache_folder

THRESHOLDS = {
    "model": "the model's own",
    "float": "the float net's",
    "eer": "the float net's at its EER here",
    "given": "as given",
}


def command(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Converted models, compared one by one.")],
    against: Annotated[str, typer.Option(metavar="NET", help="The float net: a bundled net's name or a folder.")],
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
        str | None, typer.Option(help="Of the converted models: tflite (default), tflm, c.", show_default=False)
    ] = None,
    scoring: Annotated[
        str | None, typer.Option(help="cosine or as_norm; default: the model's own.", show_default=False)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Decide at this score; default: the model's own threshold.", show_default=False)
    ] = None,
    plot: Annotated[Path | None, plot_option("Draw drift and flips;")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one a core.", show_default=False)
    ] = None,
    cache: Annotated[bool, typer.Option(help="Keep embeddings in ~/.cache/edge-sv, for the owner alone.")] = True,
    json: JsonOption = False,
) -> None:
    """Compare a compressed model's scores and decisions with the float net's, trial by trial.

    A decision flips when the two disagree at one threshold; a flip is harmful when the float net was right. Flips are
    counted by how far the float score lies from the threshold, with 95 % intervals by speaker. "Recalibrated" counts
    those that stay when the model's threshold is moved so that it accepts as many trials as the float net.

    \b
    Examples:
      edge-sv analyze drift my-artifact --against my-net --trials list.txt --audio wav
      edge-sv analyze drift net/palette_w2_ai8 --against net --trials list.txt --audio wav --plot drift.svg
      edge-sv analyze drift resnet-nano --against resnet-nano --trials list.txt --audio wav --utterances u.csv --json
    """
    if audio is None and utterances is None:
        raise UsageError("no recordings given", hint="give --audio DIR, or --utterances CSV, or both")
    kind = parse_choice("scoring", scoring, ScoringKind)
    trial_list = read_trials(trials)
    recordings = find_recordings(trial_list, audio or Path(), utterances=utterances)
    with (
        progress_bar() as bar,
        closing(EmbeddingCache(user_cache_folder())) if cache else nullcontext() as embeddings,
    ):
        task = bar.add_task("embedding", total=len(recordings.files))
        analysis = analyze_drift(
            models,
            trial_list,
            recordings,
            against=against,
            scoring=kind,
            threshold=threshold,
            runtime=runtime,
            cache=embeddings,
            jobs=jobs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if plot:
        from edge_sv.analysis.plots import drift_plot

        write_atomic(plot, drift_plot(analysis, file_format=figure_format(plot)))
    if json:
        print_json({"trial_list": str(trials), **analysis.to_dict()})
    else:
        print_table(_table(analysis, str(trials)))


def _table(analysis: DriftAnalysis, trials: str) -> Table:
    title = f"{analysis.trials:,} trials of {trials} ({analysis.targets:,} target), against {analysis.against} in float"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", style="bold", no_wrap=True)
    columns = [_column(model) for model in analysis.models]
    for model in analysis.models:
        table.add_column(f"{model.model}", justify="right", overflow="fold")
    for label in columns[0]:
        table.add_row(label, *(column.get(label, "") for column in columns))
    return table


def _column(model: ModelDrift) -> dict[str, str]:
    drift = model.drift
    column = {
        "recipe": model.recipe,
        "EER, float": f"{model.eer:.2%}, {model.float_eer:.2%}",
        "threshold": f"{drift.threshold:.3f}, {THRESHOLDS[model.threshold_source]}",
        "drift, mean": f"{drift.mean:+.4f}{_ends(drift.mean_ci, '+.4f')}",
        "  target, non-target": f"{drift.target_mean:+.4f}, {drift.non_target_mean:+.4f}",
        "drift, std": f"{drift.std:.4f}",
        "drift, 5 % and 95 %": f"{drift.quantiles['0.05']:+.4f}, {drift.quantiles['0.95']:+.4f}",
        "correlation": "-" if drift.correlation is None else f"{drift.correlation:.4f}",
        "flips": _rate(drift.flips),
        "  of target trials": _rate(drift.targets),
        "    new misses": _rate(drift.new_misses),
        "  of non-target trials": _rate(drift.non_targets),
        "    new false accepts": _rate(drift.new_false_accepts),
        "  harmful": _rate(drift.harmful),
        "  helpful": _rate(drift.helpful),
        "  recalibrated": _rate(drift.recalibrated),
    }
    for band in drift.bands:
        ends = "farther" if band.high is None else f"to {band.high:g}"
        column[f"flips {band.low:g} {ends}"] = _rate(band.flips)
    return column


def _rate(flips: FlipRate) -> str:
    return f"{flips.rate:.2%}{_ends(flips.ci, '.2%')} {flips.flips}/{flips.trials}"


def _ends(ends: tuple[float, float] | None, form: str) -> str:
    return f" ({ends[0]:{form}} to {ends[1]:{form}})" if ends else ""
