"""Which method a recipe asks for."""

from __future__ import annotations

from typing import Any

from edge_sv.compress.method import TrainableForm
from edge_sv.compress.mixed import plan_mixed
from edge_sv.compress.straight_through import plan_compression
from edge_sv.recipes.bit_allocation import WidthPlan
from edge_sv.recipes.recipe import CompressionRecipe


def plan_form(
    model: Any, recipe: CompressionRecipe, *, widths: WidthPlan | None = None, epochs: int = 0
) -> TrainableForm:
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
        return plan_mixed(model, recipe, widths, epochs=epochs)
    if any(rule.quantizer == "cluster" for rule in recipe.rules):
        from edge_sv.compress.cluster import plan_clusters  # TFMOT, too

        return plan_clusters(model, recipe, epochs=epochs)
    if any(rule.quantizer == "fake_quant" for rule in recipe.rules):
        from edge_sv.compress.quantization_aware import plan_quantization_aware  # TFMOT, seconds to import

        return plan_quantization_aware(model, recipe)
    return plan_compression(model, recipe)
