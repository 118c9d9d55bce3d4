"""What the front end's defaults cost or gain: one trained net, its EER on the development lists under other choices.

The net was trained with its own choice, so another one is at a disadvantage here; give two nets, each trained with its
own, for a fair comparison.

Run: python benchmarks/choices.py [assets/resnet-thin runs/other-net ...]
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from edge_sv.artifacts.locate import asset_names
from edge_sv.cli.output import JsonOption, err_console, out_console, print_json
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system.bundled import assets_dir

REPOSITORY = Path(__file__).resolve().parent.parent
LISTS = ("so762/trials_dev.txt", "sc12/trials_dev.txt")
HOPS = (50, 100, 200)


def variants(features: FeatureConfig, rule: SegmentRule) -> dict[str, tuple[FeatureConfig, SegmentRule]]:
    """Return the choices that a trained net can be run with."""
    rows = {"as trained": (features, rule)}
    for kind in ("running_mean", "utterance_mean", "none"):
        rows[f"normalization {kind}"] = replace(features, normalization=kind), rule
    for frames in (50, 100, 300):
        rows[f"running mean, prior of {frames} frames"] = replace(features, prior_frames=frames), rule
    rows["running mean, horizon of 1000 frames"] = replace(features, horizon_frames=1000), rule
    rows["running mean from the first frame"] = replace(features, mean_start=()), rule
    for hop in HOPS:
        rows[f"segments every {hop} frames"] = features, SegmentRule(rule.frames, hop)
    return rows


def main(
    nets: Annotated[list[Path] | None, typer.Argument(help="Folders of float nets; default: the bundled ones.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the corpora; default: EDGE_SV_DATA.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure the development EERs of trained nets under other front-end choices."""
    from edge_sv.models.checkpoint import load_net
    from edge_sv.training.validation import Validation, read_dev_lists

    folder = data or Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "index.csv").is_file():
        err_console().print(f"no speech corpora at {folder}: nothing to measure; set EDGE_SV_DATA")
        return
    results: list[dict[str, Any]] = []
    for net in nets or [assets_dir() / name for name in asset_names()]:
        model, description = load_net(net)
        for name, (features, rule) in variants(description.features, description.segments).items():
            eers = Validation(read_dev_lists([folder / path for path in LISTS]), features, rule).eers(model)
            results.append({"net": description.name, "choice": name, **eers})
            err_console().print(f"{description.name}: {name}")
    if json:
        print_json({"results": results})
        return
    table = Table("net", "choice", *(f"{path.split('/')[0]} dev EER %" for path in LISTS))
    for row in results:
        table.add_row(row["net"], row["choice"], *(f"{100 * row[path.split('/')[0]]:.2f}" for path in LISTS))
    out_console().print(table)


if __name__ == "__main__":
    typer.run(main)
