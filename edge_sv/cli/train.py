"""``edge-sv train``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, TaskID

from edge_sv.artifacts.locate import find_net
from edge_sv.cli.output import JsonOption, err_console, print_json, print_rows, progress_bar
from edge_sv.embedders import KerasEmbedder
from edge_sv.errors import ToolMissing
from edge_sv.system.native_log import held_native_log

if TYPE_CHECKING:
    from edge_sv.training.bank import Progress as Report
    from edge_sv.training.config import TrainConfig
    from edge_sv.training.fit import OnEpoch
    from edge_sv.training.inputs import Inputs
    from edge_sv.training.teacher import Teacher

LOSSES = ("loss", "aam", "teacher", "crop", "frame")
"""What an epoch's line tells of a row of the history, as far as it is there."""


def command(
    config: Annotated[Path, typer.Argument(help="The run, in TOML.", metavar="CONFIG.toml")],
    data: Annotated[Path, typer.Option(help="An index.csv, or a folder of speaker/recording.wav.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run's folder; default: runs/NAME. Features go to cache/ beside it."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="weights.npz of the reference net, if the run uses it.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes for features; default: one a core.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what the run would do.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a speaker net. Interrupt it when you like: the same command goes on, with the same result.

    Every finished epoch is kept. The run's folder holds the best epoch's net, history.csv and TensorBoard logs.

    \b
    Examples:
      edge-sv train configs/resnet-thin.toml --data corpora/index.csv --reference weights.npz
      edge-sv train my.toml --data voxceleb1/wav --out runs/mine
      edge-sv train my.toml --data voxceleb1/wav --dry-run
      tensorboard --logdir runs/mine
    """
    if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("tf_keras") is None:
        raise ToolMissing("training needs TensorFlow", hint="pip install 'edge-sv[train]'")
    from edge_sv.training.config import read_config

    run = read_config(config)
    folder = out or Path("runs") / run.name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong comes as an exception
    with held_native_log():
        from edge_sv.training.fit import train
        from edge_sv.training.inputs import Inputs

    if reference is None and run.reference:
        reference = (data if data.is_dir() else data.parent) / run.reference
    inputs = Inputs(
        data=data,
        reference=reference,
        open_teacher=_teacher_opener(reference),
        find_net=find_net,
        cache=folder.parent / "cache",
        jobs=jobs or len(os.sched_getaffinity(0)),
    )
    if dry_run:
        _show_plan(run, inputs, as_json)
        return
    with _resume_hint_on_interruption(run, folder), progress_bar() as bar:
        description = train(run, inputs, folder, progress=_reporter(bar), on_epoch=_epoch_teller(bar, run))
    _show_result(folder, description.provenance, as_json)


def _teacher_opener(reference: Path | None) -> Callable[[str], Teacher]:
    """Return a function that opens a teacher by its name in the configuration."""

    def open_teacher(name: str) -> Teacher:
        from edge_sv.models.reference import ReferenceEmbedder

        if name == "reference" and reference is not None:
            return ReferenceEmbedder(reference)
        return KerasEmbedder(find_net(name))

    return open_teacher


@contextmanager
def _resume_hint_on_interruption(run: TrainConfig, folder: Path) -> Iterator[None]:
    """Say where the run stands when it starts, and how to go on when it is interrupted."""
    from edge_sv.training.fit import read_history

    def say(text: str) -> None:
        err_console().print(text, markup=False, soft_wrap=True)

    done = len(read_history(folder))
    say(f"training {run.name} in {folder}" + (f", on from epoch {done + 1}" if done else ""))
    try:
        yield
    except KeyboardInterrupt:
        done = len(read_history(folder))
        say(f"stopped; {folder} keeps {done} of {run.optimizer.epochs} epochs, and the same command goes on from there")
        raise


def _reporter(bar: Progress) -> Report:
    """Return what draws a bar for each kind of work."""
    tasks: dict[str, TaskID] = {}

    def report(done: int, total: int, what: str) -> None:
        kind = what.split()[0]
        if kind not in tasks:
            tasks[kind] = bar.add_task(what, total=total)
        bar.update(tasks[kind], completed=done, total=total, description=what)

    return report


def _epoch_teller(bar: Progress, run: TrainConfig) -> OnEpoch:
    """Return what prints a line for each epoch, above the bar on a terminal and into a log without one."""
    width = len(str(run.optimizer.epochs))

    def tell(row: Mapping[str, float], is_best: bool) -> None:
        losses = "  ".join(f"{name} {row[name]:.4f}" for name in LOSSES if name in row)
        eers = "  ".join(f"{name} {text}" for name, text in _eers(row))
        line = f"epoch {row['epoch']:{width}}/{run.optimizer.epochs}  {losses}" + (f"  EER {eers}" if eers else "")
        bar.console.print(line + ("  best" if is_best else ""), markup=False, soft_wrap=True)

    return tell


def _eers(row: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the dev lists' names and EERs."""
    prefix = "dev_eer_"
    return [(name.removeprefix(prefix), f"{value:.2%}") for name, value in row.items() if name.startswith(prefix)]


def _show_result(folder: Path, provenance: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"net": str(folder), "epoch": provenance["epoch"], "dev": provenance["dev"]})
        return
    eers = [(f"{name} EER", text) for name, text in _eers(provenance["dev"])]
    print_rows([("net", str(folder)), ("best epoch", str(provenance["epoch"])), *eers])


def _show_plan(run: TrainConfig, inputs: Inputs, as_json: bool) -> None:
    with held_native_log():
        from edge_sv.training.dry_run import describe_run

        plan = describe_run(run, inputs)
    if as_json:
        print_json(asdict(plan))
        return
    shares = ", ".join(f"{share:.0%} {corpus}" for corpus, share in plan.shares.items())
    lists = ", ".join(f"{name} {count:,}" for name, count in plan.dev_trials.items()) or "none: the loss decides"
    print_rows(
        [
            ("data", f"{plan.recordings:,} recordings, {plan.hours:.1f} hours, {plan.speakers:,} speakers"),
            ("crops", f"{shares}; {plan.classes:,} classes: every speaker at every speed"),
            ("augmentation", f"{plan.noises} noises, {plan.rooms} rooms"),
            ("teachers", ", ".join(run.loss.teachers) or "none"),
            ("steps", f"{plan.steps:,} in {run.optimizer.epochs} epochs; {plan.heard_hours:.1f} hours of crops"),
            ("dev trials", lists),
            ("net", f"{plan.parameters:,} parameters, {plan.macs:,} MACs a segment of {run.segments.frames} frames"),
        ]
    )
