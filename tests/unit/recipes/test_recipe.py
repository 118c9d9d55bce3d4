"""Recipes as values: which rule a layer gets, and what follows from the methods of the rules."""

from __future__ import annotations

import pytest

from edge_sv.errors import UsageError
from edge_sv.recipes.quantizers import METHODS
from edge_sv.recipes.reading import parse_recipe
from edge_sv.recipes.recipe import CompressionRecipe, LayerRule, MixedBitWidths

LAYERS = ["stem_conv", "stage1_block1_conv1", "stage1_block1_conv2", "embedding"]


def recipe_of(*rules: dict[str, object], **more: object) -> dict[str, object]:
    return {"name": "mine", "description": "a test", "rules": list(rules), **more}


def test_the_last_match_wins() -> None:
    recipe = parse_recipe(
        recipe_of(
            {"match": "*", "weights": 4, "quantizer": "kmeans"},
            {"match": "stage1_*", "weights": 2, "quantizer": "kmeans"},
            {"match": "stage1_block1_conv2", "weights": 8},
        ),
        source="test",
    )
    assert {name: rule.weights for name, rule in recipe.assign(LAYERS).items()} == {
        "stem_conv": 4,
        "stage1_block1_conv1": 2,
        "embedding": 4,
    }


def test_a_rule_that_matches_no_layer() -> None:
    rules = [{"match": "*", "weights": 8}, {"match": "stage9_*", "weights": 4, "quantizer": "kmeans"}]
    recipe = parse_recipe(recipe_of(*rules), source="test")
    with pytest.raises(UsageError, match="rule 2 matches no layer") as caught:
        recipe.assign(LAYERS)
    assert "stem_conv" in caught.value.details["layers"]


def test_a_rule_that_decides_nothing() -> None:
    rules = (LayerRule("stem*", 4, "kmeans"), LayerRule("*", 2, "kmeans"))
    with pytest.raises(UsageError, match="rule 1 decides nothing") as caught:
        CompressionRecipe("mine", "a test", rules).assign(LAYERS)
    assert caught.value.details["layers"] == "stem_conv"
    assert "put the wider one first" in str(caught.value)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_recipe_does_follows_from_its_methods(name: str) -> None:
    rules = (LayerRule("*", 8), LayerRule("stage*", METHODS[name].bits[0], name))
    recipe = CompressionRecipe("mine", "a test", rules)
    assert recipe.compresses and recipe.methods == [METHODS[name]]
    assert recipe.rounds_activations is METHODS[name].rounds_activations
    plain = CompressionRecipe("mine", "a test", rules[:1])
    assert not plain.compresses and not plain.methods and not plain.rounds_activations


def test_a_budget_replaces_the_recipe_s_own() -> None:
    rules = (LayerRule("*", 8, "kmeans"),)
    mixed = CompressionRecipe("mine", "a test", rules, mixed=MixedBitWidths((2, 4), mean_bits=3))
    changed = mixed.with_budget(1000).mixed
    assert changed is not None and (changed.budget, changed.mean_bits) == (1000, None)
    assert mixed.with_budget(None) is mixed
    with pytest.raises(UsageError, match="recipe 'mine' has no budget"):
        CompressionRecipe("mine", "a test", rules).with_budget(1000)


def test_activation_bits_are_those_of_the_rules() -> None:
    assert CompressionRecipe("mine", "a test", (LayerRule("*", 8, activations=16),)).activation_bits == 16
    assert CompressionRecipe("mine", "a test", (LayerRule("*", 8),)).activation_bits == 8
