"""``edge-sv build``: compress > convert > check > package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_sv.artifacts.check_report import CheckKind, CheckReport
from edge_sv.cli.bit_widths import show_allocation
from edge_sv.cli.choices import parse_choice
from edge_sv.cli.output import JsonOption, err_console, print_json, print_rows
from edge_sv.cli.steps import show_steps
from edge_sv.embedders.model import DEFAULT_MODEL
from edge_sv.errors import UsageError
from edge_sv.pipeline.build import Build, DryRun, build, dry_run
from edge_sv.pipeline.request import DEFAULT_TARGET, Limits, build_request
from edge_sv.pipeline.stage import StageOutcome
from edge_sv.plugins.generator import DEFAULT_PREFIX, CodeOptions, PlanName

MADE = {
    "reference": "LiteRT's reference kernels; what TensorFlow and tflite-micro measure, as recorded at conversion",
    "recorded": "nothing was run; all figures as recorded at conversion",
}
_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2}


def command(
    model: Annotated[
        str,
        typer.Argument(help="A bundled net's name, a float net's or a converted model's folder; or any int8 .tflite."),
    ] = DEFAULT_MODEL,
    target: Annotated[str, typer.Option(help="See edge-sv targets; or the path of a target.toml.")] = DEFAULT_TARGET,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The package's folder; default: build/MODEL-TARGET.", show_default=False),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="How to compress: a bundled recipe or a file, see edge-sv recipes; default: int8, static_wi8_ai8.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="INDEX.csv", help="Speech files to calibrate and check with.", show_default=False),
    ] = None,
    max_flash: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Largest flash, as 512KB or 1MB.", show_default=False)
    ] = None,
    max_ram: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Largest RAM, as 256KB.", show_default=False)
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Bytes of all weights, as 60KB, for a recipe that chooses widths.", show_default=False
        ),
    ] = None,
    plan_name: Annotated[
        str | None,
        typer.Option("--plan", help="Generated code: static or streaming; default: the smaller.", show_default=False),
    ] = None,
    lookup_tables: Annotated[
        bool,
        typer.Option(
            "--lut/--no-lut", help="TensorFlow Lite Micro: weights of few values as lookup tables, where flash shrinks."
        ),
    ] = True,
    prefix: Annotated[str, typer.Option(help="Generated code: what its names begin with.")] = DEFAULT_PREFIX,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keeps finished stages; default: the user's cache.", show_default=False),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            help="full, reference or recorded; default: the strongest that is installed, see below.", show_default=False
        ),
    ] = None,
    only_look: Annotated[
        bool, typer.Option("--dry-run", help="Print which stages would run and what the package would cost.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compress, convert, check and package a model for a target; unchanged stages are skipped.

    The check runs the float net, LiteRT and TensorFlow Lite Micro on the same recordings. A model that is not bit for
    bit the same in both, loses more than a cosine of 0.99, or verifies worse, is not packaged (exit code 5); one that
    is larger than the target's or your limits is not either (exit code 4).

    INDEX.csv has the columns path, speaker, corpus and split; rows with split = train calibrate, and
    <corpus>/trials_dev.txt beside the table measures the EER. Without --data the converted form that came with the
    model is taken, and checked on bundled synthetic voices.

    Without TensorFlow or tflite-micro (--check reference) LiteRT's reference kernels stand in for TensorFlow Lite
    Micro, and the check that was recorded when the model was converted for the float net. --check recorded runs
    nothing. The package says which check was made.

    A mixed recipe chooses each layer's bits so that all weights together fit its budget, or yours; --dry-run prints
    the choice, without --data as the synthetic voices suggest it.

    \b
    Examples:
      edge-sv build resnet-nano --target tflite-micro --out my-package
      edge-sv build resnet-nano --max-flash 512KB --max-ram 128KB --dry-run
      edge-sv build my-net --data speech/index.csv --target tflite
      edge-sv build resnet-nano --target cortex-m --plan streaming
      edge-sv build resnet-nano --recipe mixed_w248_ai8 --budget 60KB --dry-run
      edge-sv build keyword.tflite --target cortex-m --prefix keyword
    """
    request = build_request(
        model,
        target=target,
        out=out,
        recipe=recipe,
        data=data,
        work=work,
        limits=Limits(parse_size(max_flash, "--max-flash"), parse_size(max_ram, "--max-ram")),
        budget=parse_size(budget, "--budget"),
        code=CodeOptions(prefix, parse_choice("plan", plan_name, PlanName), lookup_tables),
        check=parse_choice("check", check, CheckKind),
    )
    with show_steps() as steps:
        if only_look:
            found = dry_run(request, steps=steps)
        else:
            done = build(request, on_stage=report_stage, steps=steps)
    if only_look:
        _show_dry_run(found, json)
    elif json:
        print_json(done.to_dict())
    else:
        print_rows(_rows(done))


def parse_size(text: str | None, option: str) -> int | None:
    """Parse `256KB`, `1MB` or a number of bytes; KB is 1024.

    Raises:
        UsageError: not a size.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KM]?B?)", text.strip().upper())
    if match is None:
        raise UsageError(f"{option} {text} is not a size", hint="write it as 256KB, 1MB or 262144")
    unit = match[2] if match[2] in _UNITS else f"{match[2]}B"
    return int(float(match[1]) * _UNITS[unit])


def report_stage(stage: StageOutcome) -> None:
    """Print on stderr what became of a stage."""
    line = f"{stage.name:<8}  {stage.status:<9}  {stage.seconds:6.1f} s  {stage.note}"
    err_console().print(line, markup=False, soft_wrap=True)


def _show_dry_run(found: DryRun, json: bool) -> None:
    if json:
        print_json(found.to_dict())
    else:
        rows = [(stage.name, f"{stage.status:<9}  {stage.note}") for stage in found.stages]
        print_rows([*rows, *_sizes(found.to_dict(), "" if found.measured else " (estimate)")])
        if found.allocation:
            show_allocation(found.allocation)
    if found.problem:
        raise found.problem


def _rows(done: Build) -> list[tuple[str, str]]:
    report = done.report
    rows = [("package", str(done.package.path)), *_sizes(done.to_dict(), ""), *_plans(done), *_lookup(done)]
    if report is None:
        check = done.check
        return [*rows, ("bit-exact", f"C = TensorFlow Lite Micro at {check['vectors']} vectors, {check['source']}")]
    return [*rows, *check_rows(report)]


def check_rows(report: CheckReport) -> list[tuple[str, str]]:
    """Say what a check measured."""
    rows = [
        (
            "bit-exact",
            f"TensorFlow Lite Micro = reference kernels at {report.exact_segments} segments"
            if report.exact_segments
            else "not compared: not for TensorFlow Lite Micro",
        ),
        ("int8", f"cosine to float {report.cosine_min:.4f} at least, on {report.source}"),
    ]
    if report.eer_float is not None and report.eer_int8 is not None:
        trials = f"{report.trials:,} development trials"
        rows.append(("EER", f"float {report.eer_float:.2%}, int8 {report.eer_int8:.2%}, {trials}"))
    if report.made != "full":
        rows.append(("check", MADE[report.made]))
    return rows


def _plans(done: Build) -> list[tuple[str, str]]:
    generated = done.package.manifest.generated
    if generated is None:
        return []
    rows = []
    for cost in generated.plans:
        needs = "" if cost.ram_bytes is None else f"{cost.ram_bytes:,} bytes of RAM"
        taken = "taken" if cost.name == generated.plan else ""
        rows.append((f"{cost.name} plan", ", ".join(part for part in (needs, taken, cost.note) if part)))
    return rows


def _lookup(done: Build) -> list[tuple[str, str]]:
    lookup, sizes = done.package.manifest.lookup, done.package.manifest.sizes
    if lookup is None:
        return []
    bits = sorted({table.bits for table in lookup.tables})
    kinds = ", ".join(map(str, bits))
    flash, ram = sizes.flash_bytes - lookup.plain_flash_bytes, (sizes.ram_bytes or 0) - lookup.plain_ram_bytes
    return [
        ("lookup", f"{len(lookup.tables)} layers as indices of {kinds} bits, {len(lookup.skipped)} stay as they are"),
        ("without", f"model {lookup.plain_model_bytes:,} bytes; lookup tables make {flash:+,} flash, {ram:+,} RAM"),
    ]


def _sizes(values: dict[str, Any], note: str) -> list[tuple[str, str]]:
    labels = {"model_bytes": "model", "flash_bytes": "flash", "ram_bytes": "RAM", "arena_bytes": "arena"}
    return [(label, f"{values[key]:,} bytes{note}") for key, label in labels.items() if values[key] is not None]
