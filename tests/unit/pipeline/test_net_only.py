"""A .tflite without a front end goes through the shorter list, is cached like all else, and only as code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.errors import UsageError
from edge_sv.pipeline.build import build, dry_run
from edge_sv.pipeline.net_only import net_only_stages, read_request
from edge_sv.pipeline.request import BuildRequest, build_request
from edge_sv.pipeline.stage import run_stages
from edge_sv.plugins.generator import CodeOptions
from edge_sv.system.stage_cache import StageCache


@pytest.fixture
def ask(net: Path, tmp_path: Path) -> Any:
    (tmp_path / "keyword.tflite").write_bytes((net / "static_wi8_ai8" / "model.tflite").read_bytes())

    def make(target: str = "cortex-m", **options: Any) -> BuildRequest:
        places = {"out": tmp_path / "out", "work": tmp_path / "work"}
        return build_request(tmp_path / "keyword.tflite", target=target, **places, **options)

    return make


def test_built_once(ask: Any) -> None:
    first, again = build(ask()), build(ask())
    assert [s.status for s in first.stages] == ["done", "done"] and [s.name for s in first.stages] == [
        "check",
        "package",
    ]
    assert [s.status for s in again.stages] == ["unchanged", "unchanged"]
    assert first.report is None and first.check["bit_exact"] and first.to_dict()["cosine_to_float"] is None
    assert first.package.manifest == again.package.manifest and first.package.speaker is None


def test_vectors_come_back_as_they_were_made(ask: Any, tmp_path: Path) -> None:
    vectors_stage = net_only_stages(ask())[0]
    (made,), _ = run_stages([vectors_stage], None, StageCache(tmp_path / "a"))
    (kept,), (outcome,) = run_stages([vectors_stage], None, StageCache(tmp_path / "a"))
    assert outcome.status == "unchanged" and [v.name for v in kept.vectors] == ["uniform", "small", "rest"]
    for one, other in zip(made.vectors, kept.vectors, strict=True):
        assert one.files() == other.files() and one.source == other.source
        assert all(np.array_equal(a, b) for a, b in zip(one.outputs, other.outputs, strict=True))


def test_the_prefix_is_part_of_the_key(ask: Any) -> None:
    build(ask())
    other = build(ask(code=CodeOptions(prefix="kws")))
    assert other.stages[-1].status == "done"


def test_a_dry_run_runs_nothing(ask: Any, tmp_path: Path) -> None:
    looked = dry_run(ask())
    assert [s.status for s in looked.stages] == ["needed", "needed"] and looked.measured
    assert not (tmp_path / "work").exists() and not (tmp_path / "out").exists()
    built = build(ask())
    assert looked.footprint.model_bytes == built.model_bytes
    assert [s.status for s in dry_run(ask()).stages] == ["unchanged", "unchanged"]


@pytest.mark.parametrize("target", ["tflite", "tflite-micro"])
def test_other_targets_need_a_front_end(ask: Any, target: str) -> None:
    with pytest.raises(UsageError, match="has no front end"):
        read_request(ask(target))
