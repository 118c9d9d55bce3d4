"""Layers are named as the families state, and every rule of a bundled recipe matches the layers it means."""

from __future__ import annotations

from typing import Any

import pytest
from tf_keras import layers

from edge_sv.compress.straight_through import find_layers
from edge_sv.models.layer_names import (
    EMBEDDING,
    POOL,
    POOL_INPUTS,
    STEM,
    batch_norm_of,
    matches,
    relu_of,
)
from edge_sv.models.presets import PRESETS
from edge_sv.recipes.reading import load_recipe, recipe_names
from tests.unit.models.nets import convolutions, preset

MEANT = {"*": None, "stem*": {STEM}, EMBEDDING: {EMBEDDING}}
"""Pattern of a bundled recipe's rule -> the convolutions it means, None: all of them."""


def readers(model: Any, name: str) -> list[Any]:
    return [node.layer for node in model.get_layer(name).outbound_nodes]


@pytest.mark.parametrize("name", PRESETS)
def test_every_net_has_a_stem_an_embedding_and_a_pooling(name: str) -> None:
    model = preset(name)
    assert convolutions(model)[0] == STEM
    assert convolutions(model)[-1] == EMBEDDING
    names = [layer.name for layer in model.layers]
    assert any(layer in names for layer in POOL_INPUTS)
    pooling = [number for number, layer in enumerate(names) if layer.startswith(f"{POOL}_") or layer == POOL]
    assert names.index(STEM) < min(pooling) and max(pooling) < names.index(EMBEDDING)


@pytest.mark.parametrize("name", PRESETS)
def test_what_follows_a_convolution_is_named_after_it(name: str) -> None:
    model = preset(name)
    for convolution in convolutions(model):
        last = convolution
        for kind, named in ((layers.BatchNormalization, batch_norm_of), (layers.ReLU, relu_of)):
            following = readers(model, last)
            if len(following) == 1 and isinstance(following[0], kind):
                last = following[0].name
                assert last == named(convolution)


@pytest.mark.parametrize("recipe", recipe_names())
@pytest.mark.parametrize("name", PRESETS)
def test_every_rule_of_a_bundled_recipe_matches_the_layers_it_means(name: str, recipe: str) -> None:
    model, rules = preset(name), load_recipe(recipe).rules
    dense = [layer for layer in convolutions(model) if not isinstance(model.get_layer(layer), layers.DepthwiseConv2D)]
    meant: dict[str, Any] = {}
    for rule in rules:
        assert rule.match in MEANT, "say which layers this pattern means"
        meant |= dict.fromkeys(MEANT[rule.match] or dense, rule)
    compressed = {layer: rule for layer, rule in meant.items() if rule.quantizer}
    assert find_layers(model, load_recipe(recipe)) == compressed


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("stage12_block3_conv1", "stage#_block#_conv1", True),
        ("stage1_block1_conv2", "stage#_block#_conv1", False),
        ("stage_block1_conv1", "stage#_block#_conv1", False),
        ("stage1_block1_conv1_bn", "stage#_block#_conv1", False),
        ("aggregation_conv", "aggregation_conv", True),
    ],
)
def test_a_number_stands_where_the_pattern_has_its_sign(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, pattern) is expected
