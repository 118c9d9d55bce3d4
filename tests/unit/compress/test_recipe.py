"""Recipes: the bundled ones, the rules' order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.compress.recipe import load_recipe, parse_recipe, read_recipe, recipe_names
from edge_sv.errors import DataError, UsageError

LAYERS = ["stem_conv", "stage1_block1_conv1", "stage1_block1_conv2", "embedding"]


def recipe_of(*rules: dict[str, object], **more: object) -> dict[str, object]:
    return {"name": "mine", "description": "a test", "rules": list(rules), **more}


@pytest.mark.parametrize("name", recipe_names())
def test_bundled_recipes(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assigned = recipe.assign(LAYERS)
    assert bool(assigned) == recipe.compresses
    assert "stem_conv" not in assigned
    bits = {rule.weights for rule in assigned.values()}
    assert all(f"w{b}" in name or f"wi{b}" in name for b in bits)


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


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([{"match": "*", "weights": 4, "quantizer": "kmeans", "bits": 4}], "rules.0.bits"),
        ([{"match": "*", "weights": 9, "quantizer": "kmeans"}], "rules.0.weights"),
        ([{"match": "*", "weights": 4}], "needs a quantizer for 4 bits"),
        ([{"match": "*", "weights": 4, "quantizer": "k-means"}], "did you mean 'kmeans'"),
        ([{"match": "*", "weights": 5, "quantizer": "powers_of_two"}], "has no 5 bits"),
        ([{"match": "*", "weights": 4, "quantizer": "uniform", "granularity": "channel"}], "none per channel"),
        ([{"match": "*", "weights": 8}, {"match": "*", "weights": 4, "quantizer": "kmeans"}], "contradicts an earlier"),
        ([], "rules"),
    ],
)
def test_what_is_refused(rules: list[dict[str, object]], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_recipe(recipe_of(*rules), source="mine.toml")
    assert text in str(caught.value)


def test_unknown_keys_and_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a recipe"):
        parse_recipe(recipe_of({"match": "*", "weights": 8}, colour="red"), source="mine.toml")
    with pytest.raises(UsageError, match="did you mean 'palette_w4_ai8'"):
        load_recipe("palette_w4_a8")
    with pytest.raises(DataError, match="cannot read"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(DataError, match="cannot read"):
        load_recipe(str(tmp_path / "bad.toml"))
