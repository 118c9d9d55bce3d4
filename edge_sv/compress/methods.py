"""Which method a recipe asks for: its entry in `edge_sv.recipes.quantizers.METHODS` names what trains it."""

from __future__ import annotations

import importlib
from typing import Any

from edge_sv.compress.method import TrainableMethod
from edge_sv.compress.mixed import mixed_method
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.quantizers import STRAIGHT_THROUGH
from edge_sv.recipes.recipe import CompressionRecipe


def choose_method(
    model: Any, recipe: CompressionRecipe, *, widths: BitAllocation | None = None, epochs: int = 0
) -> TrainableMethod:
    """Make the form in which a float net trains under a recipe.

    Args:
        model: the float net, a tf_keras.Model with its weights.
        recipe: the compression.
        widths: the bits of each layer, of a recipe that chooses them.
        epochs: that the net will be trained for.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    if recipe.mixed is not None:
        assert widths is not None, "a recipe that chooses widths has an allocation by now"
        return mixed_method(model, recipe, widths, epochs=epochs)
    # One way of training a recipe, which its reading has checked; imported now: TFMOT takes seconds.
    module, _, function = next((method.trainer for method in recipe.methods), STRAIGHT_THROUGH).partition(":")
    made: TrainableMethod = getattr(importlib.import_module(module), function)(model, recipe, epochs)
    return made
