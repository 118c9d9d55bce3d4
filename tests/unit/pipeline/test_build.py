"""A build is checked, cached, resumable, and never packages what is wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact, save_artifact
from edge_sv.artifacts.check_report import CheckReport
from edge_sv.artifacts.net import net_sha256
from edge_sv.errors import AccuracyGateFailed, DataError, DoesNotFit, UsageError
from edge_sv.package import read_package
from edge_sv.pipeline.build import Build, build, convert, dry_run
from edge_sv.pipeline.request import Limits, build_request, conversion_request
from edge_sv.plugins.converter import find_converter
from tests.broken_layers import break_layer
from tests.nets import make_float_net, voice_calibration

RECORDED = CheckReport("elsewhere", 3, 3, 0.997, 0.998, 0.996, 0, 0, None, None)


def run(model: Path, folder: Path, **options: Any) -> Build:
    """Build into `package` of a folder, with its stages beside it."""
    return build(build_request(model, **{"out": folder / "package", "work": folder / "work", **options}))


def statuses(done: Any) -> list[str]:
    return [stage.status for stage in done.stages]


def test_builds_and_then_skips_what_is_unchanged(net: Path, tmp_path: Path) -> None:
    first = run(net, tmp_path)
    assert statuses(first) == ["unchanged", "unchanged", "done", "done"]
    assert first.check["bit_exact"] and first.check["cosine_min"] > 0.99
    before = {p: p.read_bytes() for p in (tmp_path / "package").rglob("*") if p.is_file()}
    second = run(net, tmp_path)
    assert statuses(second) == ["unchanged"] * 4
    elsewhere = run(net, tmp_path, out=tmp_path / "other", work=tmp_path / "fresh")
    assert {p.relative_to(tmp_path / "package"): b for p, b in before.items()} == {
        p.relative_to(tmp_path / "other"): p.read_bytes() for p in (tmp_path / "other").rglob("*") if p.is_file()
    }
    assert elsewhere.to_dict()["model_bytes"] == first.model_bytes


def test_a_damaged_cache_is_made_again(net: Path, tmp_path: Path) -> None:
    run(net, tmp_path)
    for path in (tmp_path / "work").rglob("*.json"):
        path.write_text(path.read_text()[:100])
    again = run(net, tmp_path)
    assert statuses(again) == ["unchanged", "unchanged", "done", "done"]


def test_builds_with_data_from_a_float_net_alone(data: Path, tmp_path: Path) -> None:
    net = make_float_net(tmp_path / "net", seed=4)
    with pytest.raises(DataError, match=r"--data INDEX\.csv"):
        run(net, tmp_path)
    done = run(net, tmp_path, data=data)
    assert statuses(done) == ["unchanged", "done", "done", "done"]
    assert done.check["trials"] == 36 and done.check["eer_int8"] is not None
    artifact = read_package(tmp_path / "package").artifact
    assert artifact.scoring is not None and artifact.scoring.false_accept_rate == 0.01
    assert artifact.cohort is not None and len(artifact.cohort) == 4
    again = run(net, tmp_path, data=data)
    assert statuses(again) == ["unchanged"] * 4


def test_convert_writes_what_build_takes(data: Path, tmp_path: Path) -> None:
    net = make_float_net(tmp_path / "net", seed=4)
    request = conversion_request(net, data=data, work=tmp_path / "work", scoring="as_norm")
    done = convert(request, net / "static_wi8_ai8")
    artifact, report = done.artifact, done.report
    assert load_artifact(net / "static_wi8_ai8").sha256 == artifact.sha256
    assert artifact.scoring is not None and artifact.scoring.kind == "as_norm"
    assert artifact.provenance.check == report
    assert artifact.provenance.development is not None
    built = run(net, tmp_path)
    assert built.package.artifact.sha256 == artifact.sha256


def test_a_stale_conversion_is_refused(net: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(net, tmp_path / "net")
    make_float_net(copy, seed=9)
    with pytest.raises(DataError, match="not of this float net") as caught:
        run(copy, tmp_path)
    assert "float_sha256" in caught.value.details


def test_a_broken_conversion_leaves_no_package(net: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    copy = shutil.copytree(net, tmp_path / "net")
    save_artifact(copy / "static_wi8_ai8", break_layer(artifact, "embedding"))
    with pytest.raises(AccuracyGateFailed, match="'embedding'"):
        run(copy, tmp_path)
    assert not (tmp_path / "package").exists()
    assert not [p for p in (tmp_path / "work").rglob("*") if p.is_file()]


def test_an_artifact_alone_must_have_been_checked(net: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    save_artifact(tmp_path / "alone", artifact)
    with pytest.raises(DataError, match="never checked"):
        run(tmp_path / "alone", tmp_path)
    provenance = artifact.provenance.with_check(RECORDED)
    save_artifact(tmp_path / "alone", dataclasses.replace(artifact, provenance=provenance))
    assert run(tmp_path / "alone", tmp_path).report == RECORDED
    stated = json.loads((tmp_path / "alone" / "artifact.json").read_text())
    stated["provenance"]["check"] = {"a": 1}
    (tmp_path / "alone" / "artifact.json").write_text(json.dumps(stated))
    with pytest.raises(DataError, match="record of a check is damaged"):
        run(tmp_path / "alone", tmp_path)


def test_a_recipe_that_trains_needs_data_or_a_compressed_net(net: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="was never compressed") as caught:
        run(net, tmp_path, recipe="palette_w2_ai8")
    assert "--data" in str(caught.value)


def test_a_compressed_net_that_came_with_the_model(net: Path, tmp_path: Path) -> None:
    from edge_sv.compress.straight_through import straight_through_method
    from edge_sv.models.checkpoint import load_net, save_net
    from edge_sv.recipes.reading import load_recipe

    copied, recipe = shutil.copytree(net, tmp_path / "net"), load_recipe("static_wi4_ai8")
    model, description = load_net(copied)
    palettes = straight_through_method(model, recipe).apply(model)
    origin = {"compressed_from": net_sha256(copied)}
    compressed = copied / "compressed" / recipe.name
    save_net(compressed, dataclasses.replace(description, provenance=origin), model, palettes)
    converted = find_converter("tflite").convert(compressed, recipe, voice_calibration())
    save_artifact(copied / recipe.name, converted)

    built = run(copied, tmp_path, recipe=recipe.name)
    assert statuses(built) == ["unchanged", "unchanged", "done", "done"]
    assert built.package.artifact.sha256 == converted.sha256
    assert built.check["bit_exact"] and built.check["cosine_min"] > 0.99
    assert built.to_dict()["cosine_to_float"] == built.check["uncompressed"]["cosine_min"] < built.check["cosine_min"]

    save_net(compressed, dataclasses.replace(description, provenance={"compressed_from": "0"}), model, palettes)
    with pytest.raises(DataError, match="compressed from another net"):
        run(copied, tmp_path, recipe=recipe.name)


def test_impossible_requests_are_refused(net: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'static_wi8_ai8'"):
        run(net, tmp_path, recipe="static_w8_ai8")
    with pytest.raises(UsageError, match="did you mean 'tflite-micro'"):
        run(net, tmp_path, target="tflite-mikro")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is not a package"):
        run(net, tmp_path, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "work").exists()


def test_what_does_not_fit_says_so(net: Path, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match="bytes of RAM too many"):
        run(net, tmp_path, limits=Limits(ram=1000))
    assert not (tmp_path / "package").exists()


def test_dry_run_tells_what_would_happen(net: Path, tmp_path: Path) -> None:
    first = dry_run(build_request(net, out=tmp_path / "package", work=tmp_path / "work", limits=Limits(flash=10)))
    assert statuses(first) == ["unchanged", "unchanged", "needed", "needed"]
    assert first.problem is not None and first.measured
    assert not (tmp_path / "work").exists() and not (tmp_path / "package").exists()
    built = run(net, tmp_path)
    then = dry_run(build_request(net, out=tmp_path / "package", work=tmp_path / "work"))
    assert statuses(then) == ["unchanged"] * 4
    assert then.footprint.model_bytes == built.model_bytes and then.footprint.arena_bytes == built.arena_bytes


def test_estimate_from_float_weights_is_near(data: Path, net: Path, artifact: ModelArtifact, tmp_path: Path) -> None:
    estimated = dry_run(build_request(net, work=tmp_path / "work", data=data))
    assert not estimated.measured
    assert estimated.footprint.model_bytes == pytest.approx(len(artifact.model), rel=0.25)


@pytest.mark.parametrize("after", [1.0, 4.0])
def test_interrupted_builds_go_on(net: Path, tmp_path: Path, after: float) -> None:
    command = [
        sys.executable,
        "-m",
        "edge_sv",
        "build",
        net,
        "--out",
        tmp_path / "package",
        "--work",
        tmp_path / "work",
    ]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(after)
    running.send_signal(signal.SIGINT)
    _, words = running.communicate(timeout=60)
    if running.returncode != 0:
        assert running.returncode in (130, -signal.SIGINT), words
    if (tmp_path / "package").exists():  # the interrupt came after the last stage
        read_package(tmp_path / "package")
    assert not list(tmp_path.rglob(".*")), "nothing half-made stays"
    done = run(net, tmp_path)
    assert json.loads((tmp_path / "package" / "manifest.json").read_text())["check"] == done.check


def test_a_form_by_its_own_name_is_built_as_it_is(net: Path, tmp_path: Path) -> None:
    """NET/RECIPE needs no --recipe; the float net in whose folder it lies is what it is checked against."""
    done = run(net / "static_wi8_ai8", tmp_path)
    assert done.check["recordings"] == 9 and done.package.manifest.model.recipe == "static_wi8_ai8"
    assert read_package(run(net, tmp_path).package.path).artifact.sha256 == done.package.artifact.sha256


def test_the_budget_that_was_asked_for_is_what_the_artifact_states(tmp_path: Path) -> None:
    request = conversion_request(make_float_net(tmp_path / "net"), recipe="mixed_w248_ai8", budget=4321)
    assert request.recipe.mixed is not None and request.recipe.mixed.budget == 4321
    assert request.recipe.to_dict()["mixed"]["budget"] == 4321 and request.budget_is_given


def test_reference_and_recorded_checks_say_so_in_the_package(
    net: Path, artifact: ModelArtifact, tmp_path: Path
) -> None:
    copy = shutil.copytree(net, tmp_path / "net")
    provenance = artifact.provenance.with_check(RECORDED)
    save_artifact(copy / "static_wi8_ai8", dataclasses.replace(artifact, provenance=provenance))
    full = run(copy, tmp_path)
    recorded = run(copy, tmp_path, check="recorded", out=tmp_path / "recorded")
    reference = run(copy, tmp_path, check="reference", out=tmp_path / "reference")
    assert recorded.report == dataclasses.replace(RECORDED, made="recorded")
    assert "made" not in full.check and reference.check["made"] == "reference"
    assert reference.check["exact_segments"] == 0 and reference.check["cosine_min"] == full.check["cosine_min"]
    for done, made in ((recorded, "recorded"), (reference, "reference")):
        assert done.package.manifest.check is not None and done.package.manifest.check["made"] == made
    assert full.package.manifest.golden == reference.package.manifest.golden
