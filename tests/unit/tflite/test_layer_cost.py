"""A layer's cost, as it lies in artifacts and reports."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.locate import asset_names, locate
from edge_sv.tflite.layer_cost import LayerProfile

CONV = LayerProfile("stem", "CONV_2D", (100, 40, 16), 416, 8, 848, 1_600_000)


@pytest.mark.parametrize("layer", [CONV, replace(CONV, output_shape=()), replace(CONV, weight_bits=0, weight_bytes=0)])
def test_it_comes_back_from_json(layer: LayerProfile) -> None:
    assert LayerProfile.from_dict(json.loads(json.dumps(layer.to_dict()))) == layer


@pytest.mark.parametrize("change", [{"macs": None}, {"cost": 3}])
def test_a_field_too_few_or_too_many_is_refused(change: dict[str, int | None]) -> None:
    values = {**CONV.to_dict(), **change}
    values = {name: value for name, value in values.items() if value is not None}
    with pytest.raises(TypeError):
        LayerProfile.from_dict(values)


@pytest.mark.parametrize("change", [{"macs": -1}, {"weight_bits": "8"}, {"output_shape": [0.5]}, {"kind": None}])
def test_a_value_of_another_kind_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        LayerProfile.from_dict({**CONV.to_dict(), **change})


@pytest.mark.parametrize("name", asset_names())
def test_layers_of_a_bundled_net_add_up(name: str) -> None:
    artifact = load_artifact(locate(name).path / "static_wi8_ai8")
    assert all(layer.weight_bytes >= layer.parameters * layer.weight_bits // 8 for layer in artifact.layers)
    assert 0 < sum(layer.weight_bytes for layer in artifact.layers) < len(artifact.model)
