"""Evaluate nets on every test list, clean and in noise, and write the tables of docs/results.md.

Clean lists run in TensorFlow Lite Micro's interpreter, noisy ones in LiteRT, which is some ten times faster.
Embeddings are kept as they come: stop it when you like, the next run goes on. Results go to
benchmarks/results/evaluation.json and between the marks `<!-- table:begin -->` and `<!-- table:end -->` of
docs/results.md.

Run: python benchmarks/evaluate_table.py                    every converted net of assets/
     python benchmarks/evaluate_table.py --reference weights.npz      and the pretrained reference net, in float
     python benchmarks/evaluate_table.py out/package --readme ""
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sv.artifacts.artifact import ARTIFACT_FILE
from edge_sv.audio.noisy_copy import read_noisy_copy
from edge_sv.cli.output import err_console, progress_bar
from edge_sv.embedders import Embedder, open_artifact, open_embedder
from edge_sv.errors import DataError
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.evaluation.evaluate import compute_evaluation, embed_recordings, score_list
from edge_sv.models.reference import ReferenceEmbedder, load_reference_weights
from edge_sv.recipes.recipe import DEFAULT_RECIPE
from edge_sv.scoring.scores import Cohort, Scoring, ScoringKind
from edge_sv.scoring.trials import Recordings, TrialList, find_recordings, read_trials
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import write_atomic
from edge_sv.system.user_cache import user_cache_folder

REPOSITORY = Path(__file__).resolve().parent.parent
LISTS = ("so762", "sc12", "dsp20", "libri", "fsdd")
MARKS = ("<!-- table:begin -->", "<!-- table:end -->")
TITLES = {
    "clean": "EER in %, with 95 % intervals over speakers, in TensorFlow Lite Micro's interpreter",
    "noisy": "The same lists in noise: every recording with a test noise at 5 to 15 dB, half in a room (LiteRT)",
}
RUNTIMES = {"clean": "tflm", "noisy": "tflite"}
SCORINGS: tuple[ScoringKind, ...] = ("cosine", "as_norm")

Result = dict[str, Any]


@dataclass(frozen=True)
class ComparedModel:
    """A row of the table: what it is, and how to open it for a condition."""

    name: str
    recipe: str
    model_bytes: int
    open: dict[str, Callable[[], Embedder]]
    scoring: Scoring | None
    cohort: Cohort | None


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Default: the bundled nets in 8 bits.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the corpora; default: EDGE_SV_DATA.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="weights.npz of the reference net, for a row of its own.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Results as JSON.")] = REPOSITORY / "benchmarks/results/evaluation.json",
    readme: Annotated[str, typer.Option(help="File that holds the marks; empty: print the table.")] = str(
        REPOSITORY / "docs/results.md"
    ),
    jobs: Annotated[int | None, typer.Option(help="Worker processes; default: one a core.")] = None,
) -> None:
    """Evaluate nets on every test list and write the tables of docs/results.md."""
    folder = data or Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    if data is None and not (folder / "index.csv").is_file():
        err_console().print(f"no speech corpora at {folder}: nothing to evaluate; set EDGE_SV_DATA")
        return
    results: list[Result] = []
    with closing(EmbeddingCache(user_cache_folder())) as cache, progress_bar() as bar:
        task = bar.add_task("")

        def show(text: str, done: int, total: int) -> None:
            bar.update(task, description=text, completed=done, total=total)

        candidates = [converted_net(model) for model in models or bundled_models()]
        candidates += [reference_net(reference)] if reference else []
        for candidate in candidates:
            results += evaluate_candidate(candidate, folder, cache=cache, jobs=jobs, show=show)
    write_atomic(out, (json.dumps({"schema_version": 1, "results": results}, indent=1) + "\n").encode())
    if readme:
        write_atomic(Path(readme), splice(Path(readme).read_text(), markdown(results)).encode())
    else:
        print(markdown(results))


def bundled_models() -> list[str]:
    """Return the folders of the bundled nets in 8 bits; `compression.py` has the others."""
    return [str(path.parent) for path in sorted(assets_dir().glob(f"*/{DEFAULT_RECIPE}/{ARTIFACT_FILE}"))]


def converted_net(model: str) -> ComparedModel:
    """Make the row of a converted net."""
    artifact = open_artifact(model)
    return ComparedModel(
        artifact.name,
        artifact.recipe,
        len(artifact.model),
        {
            condition: functools.partial(open_embedder, model, runtime=runtime)
            for condition, runtime in RUNTIMES.items()
        },
        artifact.scoring,
        artifact.cohort,
    )


def reference_net(weights: Path) -> ComparedModel:
    """Make the row of the pretrained reference net, in float with its author's front end."""
    size = sum(array.nbytes for array in load_reference_weights(weights).values())
    factory = functools.partial(ReferenceEmbedder, weights)
    return ComparedModel("reference net", "float of its int8", size, dict.fromkeys(RUNTIMES, factory), None, None)


def evaluate_candidate(
    candidate: ComparedModel,
    data: Path,
    *,
    cache: EmbeddingCache,
    jobs: int | None,
    show: Callable[[str, int, int], None],
) -> Iterator[Result]:
    """Yield one result for every list, condition and scoring of a net."""
    default, cohort = candidate.scoring, candidate.cohort
    noise = read_noisy_copy(data / "noise", split="test", snr_db=(5.0, 15.0), reverb_share=0.5, seed=0)
    for name in LISTS:
        trials, recordings = read_corpus(data / name)
        for condition, degradation in (("clean", None), ("noisy", noise)):
            embeddings = embed_recordings(
                candidate.open[condition],
                recordings.files,
                noise=degradation,
                cache=cache,
                jobs=jobs,
                progress=functools.partial(show, f"{candidate.name} {candidate.recipe} {name} {condition}"),
            )
            for kind in SCORINGS if cohort is not None else SCORINGS[:1]:
                scores = score_list(
                    trials, embeddings, kind=kind, cohort=cohort, top_n=default.top_n if default else 100
                )
                threshold = default.threshold if default and default.kind == kind else None
                yield {
                    "model": candidate.name,
                    "recipe": candidate.recipe,
                    "model_bytes": candidate.model_bytes,
                    "default_scoring": default.kind if default else None,
                    "list": name,
                    "condition": condition,
                    **compute_evaluation(scores, trials, recordings.speakers, kind=kind, threshold=threshold).to_dict(),
                }


def read_corpus(folder: Path) -> tuple[TrialList, Recordings]:
    """Read a corpus's test list and find its recordings."""
    trials, table = read_trials(folder / "trials_test.txt"), folder / "utterances.csv"
    return trials, find_recordings(trials, folder, utterances=table if table.is_file() else None)


def markdown(results: list[Result]) -> str:
    """Write one table a condition: a row for each model and scoring, a column for each list."""
    parts = []
    for condition, title in TITLES.items():
        chosen = [result for result in results if result["condition"] == condition]
        if chosen:
            parts.append("\n".join([f"{title}:", "", *_rows(chosen)]))
    return "\n\n".join(parts) + "\n"


def _rows(results: list[Result]) -> Iterator[str]:
    lists = [name for name in LISTS if any(result["list"] == name for result in results)]
    yield "| " + " | ".join(["net", "recipe", "kB", "scoring", *lists]) + " |"
    yield "|" + " --- |" * 2 + " ---: |" + " --- |" + " ---: |" * len(lists)
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for result in results:
        kind = result["scoring"].replace("_", "-")
        star = " (default)" if result["scoring"] == result["default_scoring"] else ""
        row = (result["model"], result["recipe"], f"{result['model_bytes'] / 1000:.0f}", kind + star)
        rows.setdefault(row, {})[result["list"]] = _cell(result)
    for labels, cells in rows.items():
        yield "| " + " | ".join([*labels, *(cells.get(name, "") for name in lists)]) + " |"


def _cell(result: Result) -> str:
    interval = result["eer_ci"]
    return f"{100 * result['eer']:.1f}" + (f" ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})" if interval else "")


def splice(text: str, table: str, marks: tuple[str, str] = MARKS) -> str:
    """Replace what is between the marks.

    Raises:
        DataError: a mark is missing, or they are in the wrong order.
    """
    begin, end = (text.find(mark) for mark in marks)
    if begin < 0 or end < begin:
        raise DataError("the page has no place for the table", hint=f"put a line {marks[0]} and a line {marks[1]}")
    return f"{text[: begin + len(marks[0])]}\n{table}{text[end:]}"


if __name__ == "__main__":
    typer.run(main)
