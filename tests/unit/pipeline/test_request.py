"""Every option is looked up before anything runs; each of them is part of a key of the stages that it decides."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_sv.artifacts.locate import ModelKind
from edge_sv.errors import DataError, UsageError
from edge_sv.pipeline.build import build_stages
from edge_sv.pipeline.check import Checked
from edge_sv.pipeline.compress import Compressed
from edge_sv.pipeline.convert import Converted
from edge_sv.pipeline.request import BuildRequest, Limits, build_request, conversion_request
from edge_sv.plugins.generator import CodeOptions
from tests.nets import make_float_net
from tests.unit.pipeline.test_build import RECORDED


def test_defaults(net: Path) -> None:
    request = build_request(net)
    assert request.out == Path("build/tiny-tflite-micro") and request.conversion.recipe.name == "static_wi8_ai8"
    assert request.conversion.model.kind is ModelKind.FLOAT_NET and request.conversion.micro
    assert not request.is_net_only and not request.conversion.budget_is_given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "static_w8_ai8"}, "did you mean 'static_wi8_ai8'"),
        ({"target": "tflite-mikro"}, "did you mean 'tflite-micro'"),
        ({"budget": 1000}, "has no budget"),
        ({"target": "cortex-m", "recipe": "static_wi8_ai16"}, "16-bit activations"),
    ],
)
def test_impossible_options_are_refused(net: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_request(net, **options)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2])
def test_impossible_rates_are_refused(net: Path, rate: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        conversion_request(net, false_accept_rate=rate)


def test_only_a_float_net_is_converted(net: Path) -> None:
    with pytest.raises(UsageError, match="is a converted model"):
        conversion_request(net / "static_wi8_ai8")


@pytest.mark.parametrize("option", [{"recipe": "palette_w4_ai8"}, {"data": Path("index.csv")}, {"budget": 5}])
def test_options_without_a_meaning_are_refused_not_ignored(net: Path, tmp_path: Path, option: dict[str, Any]) -> None:
    model = tmp_path / "any.tflite"
    model.write_bytes((net / "static_wi8_ai8" / "model.tflite").read_bytes())
    assert build_request(model, target="cortex-m").is_net_only
    with pytest.raises(UsageError, match=f"so --{next(iter(option))} cannot be kept"):
        build_request(model, target="cortex-m", **option)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("other") / "tiny", seed=8)


def keys(request: BuildRequest, artifact: Any) -> Iterator[str]:
    """Yield the key of every stage, each with the same input as it would get."""
    net = request.conversion.model.net
    inputs = (None, Compressed(net), Converted(artifact, net), Checked(artifact, RECORDED))
    for stage, before in zip(build_stages(request), inputs, strict=True):
        yield json.dumps([stage.name, stage.key(before)], sort_keys=True)


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({"recipe": "palette_w4_ai8"}, {0, 1}),
        ({"target": "tflite"}, {3}),
        ({"limits": Limits(flash=10**9)}, {3}),
        ({"limits": Limits(ram=10**9)}, {3}),
        ({"code": CodeOptions(prefix="other")}, {3}),
        ({"code": CodeOptions(lookup_tables=False)}, {3}),
        ({"check": "reference"}, {2}),
        ({"check": "recorded"}, {2}),
    ],
)
def test_any_option_changed_another_key(net: Path, artifact: Any, changed: dict[str, Any], stale: set[int]) -> None:
    """Stages that an option decides get another key, and no other stage does."""
    before, after = (
        list(keys(build_request(net, check="full"), artifact)),
        list(keys(build_request(net, **{"check": "full", **changed}), artifact)),
    )
    assert {number for number in range(4) if before[number] != after[number]} == stale


def test_scoring_and_rate_are_part_of_the_check(net: Path, artifact: Any) -> None:
    request = build_request(net)
    before = list(keys(request, artifact))
    for option in ({"scoring": "as_norm"}, {"false_accept_rate": 0.02}, {"micro": False}):
        changed = dataclasses.replace(request, conversion=dataclasses.replace(request.conversion, **option))
        assert [a == b for a, b in zip(before, keys(changed, artifact), strict=True)] == [True, True, False, True]


def test_another_net_other_speech_another_key(net: Path, other: Path, data: Path, artifact: Any) -> None:
    with_data = build_request(net, data=data)
    before = list(keys(with_data, artifact))
    assert all(
        a != b for a, b in zip(before[1:3], list(keys(build_request(other, data=data), artifact))[1:3], strict=True)
    )
    file = next(data.parent.rglob("*.flac"))
    content = file.read_bytes()
    try:
        file.write_bytes(content + b"\0")
        assert [a == b for a, b in zip(before, keys(build_request(net, data=data), artifact), strict=True)][1:] == [
            False
        ] * 3
    finally:
        file.write_bytes(content)
    file.unlink()
    try:
        with pytest.raises(DataError, match="cannot read"):
            list(keys(build_request(net, data=data), artifact))
    finally:
        file.write_bytes(content)


def test_a_changed_model_is_another_input(net: Path, artifact: Any) -> None:
    request = build_request(net)
    louder = dataclasses.replace(artifact, model=artifact.model + b"\0")
    before, after = list(keys(request, artifact)), list(keys(request, louder))
    assert before[:2] == after[:2] and before[2] != after[2] and before[3] != after[3]
