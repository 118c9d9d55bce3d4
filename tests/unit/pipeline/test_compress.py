"""The compress stage: nothing to do, a form that came along, or a recipe without training that rounds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import COMPRESSED_DIR
from edge_sv.artifacts.net import read_net
from edge_sv.artifacts.palette import load_palettes
from edge_sv.errors import DataError, UsageError
from edge_sv.pipeline.compress import Compressed, allocate_bits, compress_stage, needs_data
from edge_sv.pipeline.request import build_request, conversion_request
from edge_sv.pipeline.stage import run_stages
from edge_sv.system.bundled import assets_dir
from edge_sv.system.stage_cache import StageCache

ROUNDED = """
name = "rounded_wi4_ai8"
description = "4 bits without training"
[[rules]]
match = "*"
weights = 4
quantizer = "uniform"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "mine.toml").write_text(ROUNDED)
    return str(tmp_path / "mine.toml")


def test_a_recipe_that_compresses_nothing_leaves_the_net(net: Path, tmp_path: Path) -> None:
    stage = compress_stage(build_request(net).conversion, out=tmp_path / "unused")
    (done,), (outcome,) = run_stages([stage], None, StageCache(tmp_path))
    assert done == Compressed(net) and outcome.status == "unchanged" and not (tmp_path / "unused").exists()


def test_a_recipe_without_training_needs_no_data(net: Path, tmp_path: Path, recipe: str) -> None:
    request, out = conversion_request(net, recipe=recipe), tmp_path / "out"
    stage, cache = compress_stage(request, out=out), StageCache(tmp_path / "work")
    statuses = [run_stages([stage], None, cache)[1][0].status for _ in range(2)]
    assert statuses == ["done", "unchanged"]
    assert set(load_palettes(out)) and read_net(out).recipe == request.recipe.to_dict() | {
        "rules": list(
            read_net(out).recipe["rules"]  # type: ignore[index]
        )
    }
    assert not list((tmp_path / "work").rglob("*.run")), "nothing of the training stays"


def test_a_recipe_that_trains_takes_the_form_that_came_along(net: Path, tmp_path: Path) -> None:
    bundled = assets_dir() / "resnet-nano"
    request = build_request("resnet-nano", recipe="palette_w4_ai8").conversion
    (done,), (outcome,) = run_stages([compress_stage(request)], None, StageCache(tmp_path))
    assert done.net == bundled / COMPRESSED_DIR / "palette_w4_ai8" and outcome.note.endswith(
        "as it came with the model"
    )
    with pytest.raises(DataError, match="was never compressed"):
        compress_stage(build_request(net, recipe="palette_w4_ai8").conversion).given(None)


def test_a_budget_other_than_the_bundled_one_needs_data() -> None:
    own = build_request("resnet-nano", recipe="mixed_w248_ai8").conversion
    allocation = allocate_bits(own)
    assert allocation is not None and not needs_data(own)
    same = build_request("resnet-nano", recipe="mixed_w248_ai8", budget=allocation.budget).conversion
    assert not needs_data(same) and allocate_bits(same) == allocation
    other = build_request("resnet-nano", recipe="mixed_w248_ai8", budget=allocation.budget + 500).conversion
    assert needs_data(other)
    with pytest.raises(DataError, match="was compressed to another budget"):
        compress_stage(other).given(None)


def test_a_converted_model_alone_has_nothing_to_compress(tmp_path: Path, data: Path) -> None:
    alone = shutil.copytree(assets_dir() / "resnet-nano" / "palette_w4_ai8", tmp_path / "alone")
    given = compress_stage(build_request(alone).conversion).given(None)
    assert given is not None and given.value == Compressed(None)
    with pytest.raises(UsageError, match="no float net beside it"):
        compress_stage(build_request(alone, data=data).conversion).given(None)
