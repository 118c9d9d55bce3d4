"""``edge-sv train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_sv.cli.output import JsonOption, err_console, print_json, print_rows, progress_bar


def command(
    config: Annotated[Path, typer.Argument(help="The run, in TOML.", metavar="CONFIG.toml")],
    data: Annotated[Path, typer.Option(help="An index.csv, or a folder of speaker/recording.wav.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder (default: runs/NAME).")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="weights.npz of the reference net, if the run uses it.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes for feature extraction.")] = os.cpu_count() or 1,
    as_json: JsonOption = False,
) -> None:
    """Train a speaker net. Interrupt it when you like: the same command goes on, with the same result.

    Examples:

    \b
      edge-sv train configs/resnet-thin.toml --data corpora/index.csv --reference weights.npz
      edge-sv train my.toml --data voxceleb1/wav --out runs/mine
      tensorboard --logdir runs/mine
    """
    from edge_sv.training.config import read_config

    run = read_config(config)
    folder = out or Path("runs") / run.name
    from edge_sv.embedders import KerasEmbedder, find_model
    from edge_sv.errors import UsageError
    from edge_sv.models.reference import ReferenceEmbedder
    from edge_sv.training.fit import Inputs, train

    if "reference" in (*run.loss.teachers, run.net.init) and reference is None:
        raise UsageError(f"{config} uses the reference net", hint="give --reference path/to/weights.npz")
    teachers = [
        ReferenceEmbedder(reference) if name == "reference" and reference else KerasEmbedder(find_model(name))
        for name in run.loss.teachers
    ]
    inputs = Inputs(
        data=data,
        data_root=data if data.is_dir() else data.parent,
        reference=reference,
        teachers=teachers,
        cache=folder.parent / "cache",
        jobs=jobs,
    )
    err_console().print(f"training {run.name} into {folder}")
    with progress_bar() as bar:
        tasks: dict[str, object] = {}

        def progress(done: int, total: int, what: str) -> None:
            kind = what.split()[0]
            if kind not in tasks:
                tasks[kind] = bar.add_task(what, total=total)
            bar.update(tasks[kind], completed=done, total=total, description=what)  # type: ignore[arg-type]

        description = train(run, inputs, folder, progress=progress)
    dev = description.provenance["dev"]
    if as_json:
        print_json({"net": str(folder), "epoch": description.provenance["epoch"], "dev": dev})
        return
    rows = [
        (name.removeprefix("dev_eer_") + " EER", f"{100 * v:.2f} %") for name, v in dev.items() if "dev_eer" in name
    ]
    print_rows([("net", str(folder)), ("best epoch", str(description.provenance["epoch"])), *rows])
