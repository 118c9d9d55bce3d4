"""Which method a recipe asks for."""

from __future__ import annotations

from typing import Any

from edge_sv.compress.recipe import CompressionRecipe
from edge_sv.compress.straight_through import plan_compression
from edge_sv.compress.trainable import TrainableForm


def plan_form(model: Any, recipe: CompressionRecipe) -> TrainableForm:
    """Make the form in which a float net trains under a recipe.

    Args:
        model: the float net, a tf_keras.Model with its weights.
        recipe: the compression.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    return plan_compression(model, recipe)
