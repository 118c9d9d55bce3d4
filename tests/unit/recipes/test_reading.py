"""Reading recipes: the bundled ones, defaults, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_sv.errors import DataError, UsageError
from edge_sv.recipes.reading import load_recipe, parse_recipe, read_recipe, recipe_names

LAYERS = ["stem_conv", "stage1_block1_conv1", "stage1_block1_conv2", "embedding"]


def recipe_of(*rules: dict[str, object], **more: object) -> dict[str, object]:
    return {"name": "mine", "description": "a test", "rules": list(rules), **more}


@pytest.mark.parametrize("name", recipe_names())
def test_bundled_recipes(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assigned = recipe.assign(LAYERS)
    assert bool(assigned) == recipe.compresses
    widths = re.search(r"_wi?(\d+)_", name)
    assert widths is not None
    inner = {rule.weights for layer, rule in assigned.items() if layer.startswith("stage")}
    assert inner <= set(map(int, widths[1]))
    ends = {rule.weights for layer, rule in assigned.items() if not layer.startswith("stage")}
    assert not assigned or min(ends) >= min(inner), "stem and embedding are never the narrowest"


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
        ([{"match": "*", "weights": 8}, {"match": "a*", "weights": 8, "activations": 16}], "activations of 8 and 16"),
        ([{"match": "*", "weights": 4, "quantizer": "kmeans", "activations": 16}], "and compressed weights"),
        ([{"match": "*", "weights": 8, "activations": 12}], "rules.0.activations"),
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


def test_fine_tuning_follows_the_float_net_crop_by_crop_unless_told_otherwise() -> None:
    rule = {"match": "*", "weights": 4, "quantizer": "kmeans"}
    tuning = parse_recipe(recipe_of(rule, fine_tuning={}), source="test").fine_tuning
    assert tuning is not None and tuning.teachers == ("float",)
    assert (tuning.aam_weight, tuning.teacher_weight, tuning.crop_weight, tuning.frame_weight) == (0, 0, 15, 0)
    values = {"teachers": ["float", "resnet-thin"], "frame_weight": 2.0}
    told = parse_recipe(recipe_of(rule, fine_tuning=values), source="test")
    assert told.fine_tuning is not None and told.fine_tuning.teachers == ("float", "resnet-thin")
    assert parse_recipe(told.to_dict(), source="again") == told


@pytest.mark.parametrize(
    ("tuning", "text"),
    [
        ({"teachers": []}, "none are named"),
        ({"crop_weight": 0.0}, "nothing to learn"),
        ({"crop_weight": -1.0}, "fine_tuning.crop_weight"),
        ({"teacher": "float"}, "fine_tuning.teacher"),
    ],
)
def test_fine_tuning_that_is_refused(tuning: dict[str, object], text: str) -> None:
    rule = {"match": "*", "weights": 4, "quantizer": "kmeans"}
    with pytest.raises(UsageError) as caught:
        parse_recipe(recipe_of(rule, fine_tuning=tuning), source="test")
    assert text in f"{caught.value.details}"


MIXED = {"bits": [2, 4], "mean_bits": 3.0}


@pytest.mark.parametrize(
    ("rule", "mixed", "text"),
    [
        ({"weights": 4, "quantizer": "kmeans"}, {"bits": [4, 2], "mean_bits": 3.0}, "must ascend"),
        ({"weights": 4, "quantizer": "kmeans"}, {"bits": [4, 9], "mean_bits": 5.0}, "less than or equal to 8"),
        ({"weights": 4, "quantizer": "kmeans"}, {"bits": [2, 4]}, "a budget, either as mean_bits or in bytes"),
        ({"weights": 4, "quantizer": "kmeans"}, {**MIXED, "budget": 10}, "a budget, either as mean_bits or in bytes"),
        ({"weights": 8}, MIXED, "no rule has a quantizer"),
        ({"weights": 4, "quantizer": "powers_of_two"}, {"bits": [1, 4], "mean_bits": 3.0}, "powers_of_two has"),
        ({"weights": 1, "quantizer": "kmeans"}, MIXED, "of which 1 at most"),
        ({"weights": 4, "quantizer": "fake_quant"}, {"bits": [4, 8], "mean_bits": 5.0}, "fake_quant has"),
    ],
)
def test_widths_to_choose_from_that_are_refused(rule: dict[str, object], mixed: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_recipe(recipe_of({"match": "*", **rule}, mixed=mixed, fine_tuning={}), source="mine.toml")
    assert text in f"{caught.value} {caught.value.details}"


def test_methods_that_train_in_different_ways_do_not_mix() -> None:
    rules = [
        {"match": "*", "weights": 4, "quantizer": "kmeans"},
        {"match": "stem*", "weights": 8, "quantizer": "fake_quant"},
    ]
    with pytest.raises(UsageError, match="trained in different ways") as caught:
        parse_recipe(recipe_of(*rules, fine_tuning={}), source="mine.toml")
    assert caught.value.details == {"quantization aware": "fake_quant", "straight through": "kmeans"}


def test_a_method_that_is_nothing_without_training() -> None:
    rule = {"match": "*", "weights": 4, "quantizer": "fake_quant"}
    with pytest.raises(UsageError, match="need fine-tuning") as caught:
        parse_recipe(recipe_of(rule), source="mine.toml")
    assert caught.value.hint == "add [fine_tuning]"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"weights": 4, "quantizer": "kmeans", "clusters": 8}, "quantizer = 'cluster' has them"),
        ({"weights": 3, "quantizer": "cluster", "clusters": 9}, "weights = 4"),
    ],
)
def test_clusters_that_are_refused(rule: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        parse_recipe(recipe_of({"match": "*", **rule}, fine_tuning={}), source="mine.toml")
