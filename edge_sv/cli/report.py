"""``edge-sv report``: everything that is known of a net and its compressed forms, on one page."""

from __future__ import annotations

import shlex
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from edge_sv.cli.output import JsonOption, print_json, print_rows
from edge_sv.cli.steps import show_steps
from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.report.collect import Request, collect_report
from edge_sv.report.page import DOCUMENT_FILE, write_report
from edge_sv.system.user_cache import user_cache_folder


def command(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Nets, training runs, artifacts, packages; names or folders.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets report.html and report.json.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="INDEX.csv", help="Table of speech files: run the models on its test lists.", show_default=False
        ),
    ] = None,
    runtime: Annotated[str, typer.Option(help="Of converted models: tflite, tflm or c.")] = "tflite",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; default: one a core.", show_default=False)
    ] = None,
    cache: Annotated[bool, typer.Option(help="Keep embeddings in ~/.cache/edge-sv, for the owner alone.")] = True,
    json: JsonOption = False,
) -> None:
    """Write one page, without anything from outside, about a net and its compressed forms; its figures beside it.

    Shows what is there: the net, its training, what lies in flash, bits and error by layer, weight distributions, the
    check's figures. With --data also error rates with intervals on the test lists, DET plots, score drift and flipped
    decisions against float, what embeddings know besides the speaker, and trials across languages. What cannot be
    shown is listed with the reason. An interrupted report goes on where it stopped.

    \b
    Examples:
      edge-sv report resnet-nano --out report
      edge-sv report resnet-nano resnet-thin --data index.csv --out report
      edge-sv report runs/my-net --data index.csv --out report --json
    """
    request = Request(tuple(runs), _command_line(runs, out, data, runtime), data, runtime, jobs)
    with (
        show_steps() as steps,
        closing(EmbeddingCache(user_cache_folder())) if cache and data else nullcontext() as embeddings,
    ):
        document = collect_report(request, cache=embeddings, steps=steps)
        page = write_report(document, out)
    shown = [model["label"] for model in document["models"]]
    if json:
        left_out = document["left_out"]
        print_json({"page": str(page), "document": str(out / DOCUMENT_FILE), "models": shown, "left_out": left_out})
        return
    print_rows([("page", str(page)), ("figures", str(out / DOCUMENT_FILE)), ("models", ", ".join(shown))])
    for row in document["left_out"]:
        typer.echo(f"left out: {row['section']}: {row['reason']}")


def _command_line(runs: list[str], out: Path, data: Path | None, runtime: str) -> str:
    words = ["edge-sv", "report", *runs, *(["--data", str(data)] if data else [])]
    return shlex.join([*words, *(["--runtime", runtime] if runtime != "tflite" else []), "--out", str(out)])
