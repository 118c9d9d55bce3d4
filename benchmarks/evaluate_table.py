"""Evaluate nets on every test list, clean and in noise, and write the table of the README.

Embeddings are kept as they come: stop it when you like, the next run goes on. Results go to
benchmarks/results/evaluation.json and between the marks `<!-- table:begin -->` and `<!-- table:end -->` of README.md.

Run: python benchmarks/evaluate_table.py                    every converted net of assets/, in LiteRT
     python benchmarks/evaluate_table.py out/package --runtime tflm --readme ""
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sv.artifact import ARTIFACT_FILE
from edge_sv.cli.output import err_console, progress_bar
from edge_sv.embedders import open_artifact, open_embedder
from edge_sv.embedding_cache import EmbeddingCache, default_cache_folder
from edge_sv.errors import DataError
from edge_sv.evaluate import embed_recordings, judge, score_list
from edge_sv.files import write_atomic
from edge_sv.noisy import read_noisy_copy
from edge_sv.resources import assets_dir
from edge_sv.scoring import ScoringKind
from edge_sv.trials import Recordings, TrialList, find_recordings, read_trials

REPOSITORY = Path(__file__).resolve().parent.parent
LISTS = ("so762", "sc12", "dsp20", "libri", "fsdd")
MARKS = ("<!-- table:begin -->", "<!-- table:end -->")
TITLES = {
    "clean": "EER in %, with 95 % intervals over speakers",
    "noisy": "The same lists in noise: every recording with a test noise at 5 to 15 dB, half of them in a room",
}
SCORINGS: tuple[ScoringKind, ...] = ("cosine", "as_norm")

Result = dict[str, Any]


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Default: every converted net of assets/.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the corpora; default: EDGE_SV_DATA.")] = None,
    runtime: Annotated[str, typer.Option(help="tflite or tflm.")] = "tflite",
    out: Annotated[Path, typer.Option(help="Results as JSON.")] = REPOSITORY / "benchmarks/results/evaluation.json",
    readme: Annotated[str, typer.Option(help="File that holds the marks; empty: print the table.")] = str(
        REPOSITORY / "README.md"
    ),
    jobs: Annotated[int | None, typer.Option(help="Worker processes; default: one a core.")] = None,
) -> None:
    """Evaluate nets on every test list and write the README's table."""
    folder = data or Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    if data is None and not (folder / "index.csv").is_file():
        err_console().print(f"no speech corpora at {folder}: nothing to evaluate; set EDGE_SV_DATA")
        return
    results: list[Result] = []
    with closing(EmbeddingCache(default_cache_folder())) as cache, progress_bar() as bar:
        task = bar.add_task("")
        for model in models or bundled_models():

            def show(text: str, done: int, total: int) -> None:
                bar.update(task, description=text, completed=done, total=total)

            results += evaluate_model(model, folder, runtime=runtime, cache=cache, jobs=jobs, show=show)
    write_atomic(out, (json.dumps({"schema_version": 1, "results": results}, indent=1) + "\n").encode())
    if readme:
        write_atomic(Path(readme), splice(Path(readme).read_text(), markdown(results)).encode())
    else:
        print(markdown(results))


def bundled_models() -> list[str]:
    """Return the folders of all converted nets in assets/."""
    return [str(path.parent) for path in sorted(assets_dir().glob(f"*/*/{ARTIFACT_FILE}"))]


def evaluate_model(
    model: str,
    data: Path,
    *,
    runtime: str,
    cache: EmbeddingCache,
    jobs: int | None,
    show: Callable[[str, int, int], None],
) -> Iterator[Result]:
    """Yield one result for every list, condition and scoring of a model."""
    artifact = open_artifact(model)
    kinds = SCORINGS if artifact.cohort is not None else SCORINGS[:1]
    default = artifact.scoring
    noise = read_noisy_copy(data / "noise", split="test", snr_db=(5.0, 15.0), reverb_share=0.5, seed=0)
    for name in LISTS:
        trials, recordings = read_corpus(data / name)
        for condition, degradation in (("clean", None), ("noisy", noise)):
            embeddings = embed_recordings(
                functools.partial(open_embedder, model, runtime=runtime),
                recordings.files,
                noise=degradation,
                cache=cache,
                jobs=jobs,
                progress=functools.partial(show, f"{artifact.name} {artifact.recipe} {name} {condition}"),
            )
            for kind in kinds:
                scores = score_list(
                    trials, embeddings, kind=kind, cohort=artifact.cohort, top_n=default.top_n if default else 100
                )
                threshold = default.threshold if default and default.kind == kind else None
                yield {
                    "model": artifact.name,
                    "recipe": artifact.recipe,
                    "model_sha256": artifact.sha256,
                    "model_bytes": len(artifact.model),
                    "default_scoring": default.kind if default else None,
                    "runtime": runtime,
                    "list": name,
                    "condition": condition,
                    **judge(scores, trials, recordings.speakers, kind=kind, threshold=threshold).to_dict(),
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


def splice(text: str, table: str) -> str:
    """Replace what is between the marks.

    Raises:
        DataError: a mark is missing, or they are in the wrong order.
    """
    begin, end = (text.find(mark) for mark in MARKS)
    if begin < 0 or end < begin:
        raise DataError("the README has no place for the table", hint=f"put a line {MARKS[0]} and a line {MARKS[1]}")
    return f"{text[: begin + len(MARKS[0])]}\n{table}{text[end:]}"


if __name__ == "__main__":
    typer.run(main)
