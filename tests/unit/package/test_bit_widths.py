"""Widths that a target does not hold are refused, with the rule, before anything is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sv.errors import UsageError
from edge_sv.package import bit_widths
from edge_sv.package.bit_widths import check_widths
from edge_sv.package.target import list_targets, load_target
from edge_sv.recipes.reading import load_recipe, recipe_names
from edge_sv.recipes.recipe import CompressionRecipe, LayerRule, MixedBitWidths


def recipe(bits: int, activations: int = 8) -> CompressionRecipe:
    quantizer = "kmeans" if activations == 8 else None
    rules = (LayerRule("stem*", 8), LayerRule("*", bits, quantizer, activations=activations))
    return CompressionRecipe("mine", "a test", rules)


@pytest.mark.parametrize("bits", [5, 6, 7])
def test_a_width_without_a_kernel_names_rule_and_way_out(bits: int) -> None:
    with pytest.raises(
        UsageError, match=f"asks for {bits}-bit weights; target 'cortex-m' holds 1, 2, 3, 4, 8"
    ) as caught:
        check_widths(recipe(bits), load_target("cortex-m"))
    assert caught.value.details == {"rule": '2, match = "*"'}
    assert caught.value.hint is not None and "weights = 4 in that rule" in caught.value.hint
    check_widths(recipe(bits), load_target("tflite-micro"))


def test_a_width_below_all_that_a_kind_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kind:
        weight_bits, activation_bits = (4, 8), (8,)

    monkeypatch.setattr(bit_widths, "find_kind", lambda _: Kind)
    with pytest.raises(UsageError, match="asks for 2-bit weights") as caught:
        check_widths(recipe(2), load_target("cortex-m"))
    assert caught.value.hint is not None and "weights = 4 in that rule" in caught.value.hint


def test_widths_to_choose_from_are_those_that_the_target_holds() -> None:
    mixed = replace(recipe(8), mixed=MixedBitWidths((2, 4, 6, 8), mean_bits=4))
    with pytest.raises(UsageError, match="chooses among weights of 2, 4, 6, 8 bits; target 'cortex-m' holds") as caught:
        check_widths(mixed, load_target("cortex-m"))
    assert caught.value.hint == "bits = [2, 4, 8] in [mixed]"
    check_widths(mixed, load_target("tflite-micro"))


def test_activations_without_kernels() -> None:
    with pytest.raises(UsageError, match="16-bit activations; target 'cortex-m' has kernels for 8") as caught:
        check_widths(recipe(8, 16), load_target("cortex-m"))
    assert caught.value.hint == "--target tflite"
    check_widths(recipe(8, 16), load_target("tflite"))


@pytest.mark.parametrize("name", recipe_names())
def test_every_target_holds_the_bundled_recipes_of_8_bit_activations(name: str) -> None:
    bundled = load_recipe(name)
    for target in list_targets():
        if bundled.activation_bits == 8:
            check_widths(bundled, target)
