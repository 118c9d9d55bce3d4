"""What the report says of a converted model: bytes and bits as the flash tables count them, and the check's figures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from edge_sv.analysis.compared_models import ComparedModel, find_compared_models
from edge_sv.analysis.flash import size_tables
from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.provenance import Provenance
from edge_sv.package import read_package, write_package
from edge_sv.package.target import load_target
from edge_sv.report.converted_models import FACT_NAMES, ConvertedModelFacts, describe_converted_model
from edge_sv.system.bundled import assets_dir

NET = assets_dir() / "resnet-nano"
RECIPES = ["static_wi8_ai8", "palette_w4_ai8", "mixed_w248_ai8"]


def describe(path: Path) -> tuple[ComparedModel, ConvertedModelFacts]:
    (model,) = find_compared_models([path], keras=False)
    assert model.artifact is not None
    return model, describe_converted_model(model, model.artifact)


@pytest.mark.parametrize("recipe", RECIPES)
def test_bytes_are_those_of_the_flash_tables(recipe: str) -> None:
    model, facts = describe(NET / recipe)
    tables = size_tables(load_artifact(NET / recipe))
    assert list(facts.flash) == [form for form in FACT_NAMES if form in tables], "the most compact first"
    for form, table in tables.items():
        assert facts.flash[form]["total"] == table.total == sum(facts.flash[form]["sums"].values())
    assert (facts.label, facts.net, facts.recipe, facts.path) == (model.label, model.net, recipe, model.place)
    json.dumps(facts.to_dict(), allow_nan=False)


@pytest.mark.parametrize("recipe", RECIPES)
def test_mean_bits_are_over_parameters(recipe: str) -> None:
    _, facts = describe(NET / recipe)
    layers = {layer.name: layer for layer in load_artifact(NET / recipe).layers}
    assert facts.bits.keys() <= layers.keys() and len(facts.bits) > 5
    counts = [(bits, layers[name].parameters) for name, bits in facts.bits.items()]
    assert facts.mean_bits == pytest.approx(sum(bits * n for bits, n in counts) / sum(n for _, n in counts))
    assert min(facts.bits.values()) <= facts.mean_bits <= max(facts.bits.values())


def test_fewer_bits_are_fewer_bytes() -> None:
    wide, narrow = (describe(NET / recipe)[1] for recipe in RECIPES[:2])
    assert narrow.mean_bits < wide.mean_bits == 8
    assert narrow.flash["cortex-m"]["total"] < wide.flash["cortex-m"]["total"]


def test_a_package_tells_what_it_holds(tmp_path: Path) -> None:
    path = write_package(load_artifact(NET / RECIPES[0]), load_target("cortex-m"), tmp_path / "package").path
    _, facts = describe(path)
    assert list(facts.flash) == ["cortex-m"] and facts.path == str(path)
    assert facts.flash["cortex-m"]["total"] == read_package(path).manifest.sizes.model_bytes
    assert facts.mean_bits == describe(NET / RECIPES[0])[1].mean_bits


def test_what_the_check_and_the_threshold_are(tmp_path: Path) -> None:
    model, facts = describe(NET / RECIPES[0])
    assert model.artifact is not None and model.artifact.scoring is not None
    assert facts.check == model.artifact.provenance.stated["check"]
    assert facts.scoring == model.artifact.scoring.to_dict()
    bare = dataclasses.replace(model.artifact, provenance=Provenance({}), scoring=None, recipe="my-own")
    unknown = describe_converted_model(model, bare)
    assert (unknown.check, unknown.scoring, unknown.development, unknown.description) == ({}, None, {}, "")
    assert facts.description != ""
