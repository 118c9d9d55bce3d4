"""``edge-sv convert``: make the converted form that is kept beside a float net."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_sv.cli.build import check_rows, parse_size, report_stage
from edge_sv.cli.choices import parse_choice
from edge_sv.cli.output import JsonOption, print_json, print_rows
from edge_sv.cli.steps import show_steps
from edge_sv.pipeline.build import convert
from edge_sv.pipeline.request import FALSE_ACCEPT_RATE, conversion_request
from edge_sv.recipes.recipe import DEFAULT_RECIPE
from edge_sv.scoring.scores import ScoringKind


def command(
    net: Annotated[str, typer.Argument(help="A bundled net's name or a float net's folder.")],
    data: Annotated[Path, typer.Option(metavar="INDEX.csv", help="Speech files, with development lists beside it.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The artifact's folder; default: NET/RECIPE.", show_default=False),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="How to compress: a bundled recipe or a file, see edge-sv recipes.")
    ] = DEFAULT_RECIPE,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Bytes of all weights, as 60KB, for a recipe that chooses widths.", show_default=False
        ),
    ] = None,
    scoring: Annotated[str, typer.Option(help="Default scoring: cosine or as_norm.")] = "cosine",
    far: Annotated[float, typer.Option(help="False-accept rate that the threshold is set for.")] = FALSE_ACCEPT_RATE,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keeps finished stages; default: the user's cache.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Convert a float net to int8, check it, set its threshold and cohort, and write the artifact's folder.

    The net is calibrated on the table's training speakers. The threshold accepts the given share of non-target trials
    of all development lists together; the cohort for AS-norm is one mean embedding of each training speaker.

    \b
    Examples:
      edge-sv convert assets/resnet-nano --data speech/index.csv
      edge-sv convert runs/my-net --data speech/index.csv --out my-artifact --scoring as_norm --far 0.005
    """
    request = conversion_request(
        net,
        recipe=recipe,
        budget=parse_size(budget, "--budget"),
        data=data,
        work=work,
        scoring=parse_choice("scoring", scoring, ScoringKind),
        false_accept_rate=far,
    )
    place = out or request.model.path / request.recipe.name
    with show_steps() as steps:
        done = convert(request, place, on_stage=report_stage, steps=steps)
    artifact, report = done.artifact, done.report
    chosen, development = artifact.scoring, artifact.provenance.development
    assert chosen is not None and development is not None
    if json:
        print_json(
            {
                "artifact": str(place),
                "sha256": artifact.sha256,
                "model_bytes": len(artifact.model),
                "scoring": chosen.to_dict(),
                "development": asdict(development),
                "check": report.to_dict(),
            }
        )
        return
    print_rows(
        [
            ("artifact", str(place)),
            ("model", f"{len(artifact.model):,} bytes, sha256 {artifact.sha256[:16]}"),
            *check_rows(report),
            ("AS-norm", f"EER {development.eer_as_norm:.2%}"),
            ("threshold", f"{chosen.threshold:.4f} ({chosen.kind}) at {chosen.false_accept_rate:.2%} false accepts"),
        ]
    )
