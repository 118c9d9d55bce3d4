"""Which method a recipe asks for."""

from __future__ import annotations

from typing import Any

from edge_sv.compress.method import TrainableMethod
from edge_sv.compress.mixed import mixed_method
from edge_sv.compress.straight_through import straight_through_method
from edge_sv.recipes.bit_allocation import BitAllocation
from edge_sv.recipes.recipe import CompressionRecipe


def choose_method(
    model: Any, recipe: CompressionRecipe, *, widths: BitAllocation | None = None, epochs: int = 0
) -> TrainableMethod:
    """Make the form in which a float net trains under a recipe.

    Args:
        model: the float net, a tf_keras.Model with its weights.
        recipe: the compression.
        widths: the plan of a recipe that chooses widths.
        epochs: that the net will be trained for.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    if recipe.mixed is not None:
        assert widths is not None, "a recipe that chooses widths has a plan by now"
        return mixed_method(model, recipe, widths, epochs=epochs)
    if any(rule.quantizer == "cluster" for rule in recipe.rules):
        from edge_sv.compress.cluster import cluster_method  # TFMOT, too

        return cluster_method(model, recipe, epochs=epochs)
    if any(rule.quantizer == "fake_quant" for rule in recipe.rules):
        from edge_sv.compress.quantization_aware import quantization_aware_method  # TFMOT, seconds to import

        return quantization_aware_method(model, recipe)
    return straight_through_method(model, recipe)
