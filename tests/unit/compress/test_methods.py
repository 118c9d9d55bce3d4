"""Every method of the table trains a net: its entry names a trainer that makes a form, and the form becomes a net."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest

from edge_sv.compress.methods import choose_method
from edge_sv.compress.mixed import MixedForm
from edge_sv.errors import UsageError
from edge_sv.recipes.bit_allocation import Choice, allocate
from edge_sv.recipes.quantizers import METHODS
from edge_sv.recipes.recipe import CompressionRecipe, LayerRule, MixedBitWidths
from tests.families import FRAMES, NUM_MELS, build_tiny

CROPS = np.random.default_rng(0).normal(size=(16, FRAMES, NUM_MELS, 1)).astype(np.float32)


def recipe(name: str | None, bits: int, match: str = "*") -> CompressionRecipe:
    return CompressionRecipe("mine", "a test", (LayerRule(match, bits, name),))


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_s_trainer_takes_a_net_a_recipe_and_epochs(name: str) -> None:
    module, _, function = METHODS[name].trainer.partition(":")
    trainer = getattr(importlib.import_module(module), function)
    assert len(inspect.signature(trainer).parameters) == 3


@pytest.mark.parametrize("name", METHODS)
def test_a_method_makes_a_net_of_few_values(name: str) -> None:
    model, bits = build_tiny("xvector"), METHODS[name].bits[0]
    form = choose_method(model, recipe(name, bits), epochs=2)
    net = form.trainable(model, lambda: CROPS)
    assert net.output_shape == model.output_shape
    form.begin_epoch(0)
    form.begin_epoch(1)
    extras = form.finish(model, net.get_weights())
    kernels = {layer.name: layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")}
    assert set(extras.palettes) == set(kernels)
    assert bool(extras.files) is METHODS[name].rounds_activations, "ranges come with the net"
    for layer, kernel in kernels.items():
        np.testing.assert_allclose(extras.palettes[layer].weights(), kernel, rtol=1e-5, atol=1e-7)
        assert all(len(np.unique(kernel[..., channel])) <= 1 << bits for channel in range(kernel.shape[-1]))


def test_a_recipe_that_chooses_widths_trains_in_stages() -> None:
    model = build_tiny("xvector")
    layers = [layer.name for layer in model.layers if hasattr(layer, "kernel")]
    widths = allocate({name: [Choice(2, 0.0, 1)] for name in layers}, fixed=0, budget=100, method="test")
    mixed = CompressionRecipe("mine", "a test", (LayerRule("*", 8, "kmeans"),), mixed=MixedBitWidths((2, 8), budget=9))
    assert isinstance(choose_method(model, mixed, widths=widths, epochs=3), MixedForm)


def test_a_recipe_without_methods_leaves_the_net_as_it_is() -> None:
    model = build_tiny("xvector")
    form = choose_method(model, recipe(None, 8))
    assert form.trainable(model, lambda: CROPS) is model
    assert not form.finish(model, model.get_weights()).palettes


@pytest.mark.parametrize("name", METHODS)
def test_a_rule_that_matches_no_layer_is_refused_by_every_method(name: str) -> None:
    with pytest.raises(UsageError, match="rule 1 matches no layer"):
        choose_method(build_tiny("xvector"), recipe(name, METHODS[name].bits[0], match="stage9_*"))
