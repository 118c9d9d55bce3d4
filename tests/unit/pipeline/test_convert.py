"""The convert stage: with data it calibrates, without it takes the form that came along, if it is of this very net."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.errors import DataError, UsageError
from edge_sv.pipeline.compress import Compressed
from edge_sv.pipeline.convert import Converted, convert_stage
from edge_sv.pipeline.request import build_request
from edge_sv.pipeline.stage import run_stages
from edge_sv.system.stage_cache import StageCache
from tests.nets import make_float_net


def test_what_came_with_the_net_is_taken(net: Path, tmp_path: Path) -> None:
    stage = convert_stage(build_request(net).conversion)
    results, (outcome,) = run_stages([stage], Compressed(net), StageCache(tmp_path))
    assert results == [Converted(load_artifact(net / "static_wi8_ai8"), net)]
    assert outcome.status == "unchanged" and outcome.note == "static_wi8_ai8, as it came with the model"


def test_with_data_it_is_made_once(data: Path, tmp_path: Path) -> None:
    net = make_float_net(tmp_path / "net")
    stage, cache = convert_stage(build_request(net, data=data).conversion), StageCache(tmp_path / "work")
    (first,), (made,) = run_stages([stage], Compressed(net), cache)
    (again,), (kept,) = run_stages([stage], Compressed(net), cache)
    assert first == again and (made.status, kept.status) == ("done", "unchanged")
    assert first.artifact.provenance.calibration is not None
    assert first.artifact.provenance.calibration.source == "training speakers of the data"


def test_another_nets_form_is_refused(net: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(net, tmp_path / "net")
    make_float_net(copy, seed=5)
    with pytest.raises(DataError, match="is not of this float net, recipe and converter") as caught:
        convert_stage(build_request(copy).conversion).given(Compressed(copy))
    assert set(caught.value.details) == {"float_sha256"}


def test_a_net_that_was_never_converted_needs_data(tmp_path: Path) -> None:
    net = make_float_net(tmp_path / "net")
    with pytest.raises(DataError, match="was never converted") as caught:
        convert_stage(build_request(net).conversion).given(Compressed(net))
    assert "--data" in str(caught.value.hint)


def test_a_converted_model_alone_cannot_be_calibrated(net: Path, data: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(net / "static_wi8_ai8", tmp_path / "alone")
    stage = convert_stage(build_request(alone, data=data).conversion)
    with pytest.raises(UsageError, match="cannot be calibrated again"):
        stage.make(Compressed(None), tmp_path / "out", tmp_path / "run")
