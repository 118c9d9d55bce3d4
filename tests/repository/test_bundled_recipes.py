"""The compressed forms that came with the bundled nets: complete, of these very nets, and built without data."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import COMPRESSED_DIR, load_artifact
from edge_sv.artifacts.locate import asset_names
from edge_sv.artifacts.net import net_sha256
from edge_sv.pipeline.build import build
from edge_sv.pipeline.request import build_request
from edge_sv.recipes.reading import load_recipe
from edge_sv.system.bundled import assets_dir

MAIN = ("static_wi8_ai8", "static_wi4_ai8", "palette_w4_ai8", "palette_w2_ai8", "mixed_w248_ai8", "binary_w1_ai8")
QUICK = "resnet-nano"
"""The net that every run of the tests builds; the others are slow."""
FORMS = [(net, recipe) for net in asset_names() for recipe in MAIN]


@pytest.mark.parametrize(("net", "recipe"), FORMS)
def test_bundled_form_belongs_to_its_net(net: str, recipe: str) -> None:
    folder = assets_dir() / net
    artifact = load_artifact(folder / recipe)
    source = folder / COMPRESSED_DIR / recipe if load_recipe(recipe).compresses else folder
    assert artifact.recipe == recipe
    assert artifact.provenance.float_sha256 == net_sha256(source)
    assert artifact.provenance.check is not None and artifact.provenance.check.bit_exact
    assert artifact.scoring is not None


@pytest.mark.parametrize("target", ["tflite-micro", "cortex-m"])
@pytest.mark.parametrize(
    ("net", "recipe"), [pytest.param(*form, marks=[] if form[0] == QUICK else pytest.mark.slow) for form in FORMS]
)
def test_bundled_form_builds_without_data(net: str, recipe: str, target: str, tmp_path: Path) -> None:
    request = build_request(net, target=target, recipe=recipe, out=tmp_path / "package", work=tmp_path / "work")
    done = build(request)
    assert done.check["bit_exact"]
    assert done.check["cosine_min"] >= 0.99
