"""Which widths a kind of package can hold: refused before hours of training, not stored wider in silence."""

from __future__ import annotations

from edge_sv.errors import UsageError
from edge_sv.package.target import Target
from edge_sv.recipes.recipe import CompressionRecipe

WEIGHT_BITS = {"cortex-m": (1, 2, 3, 4, 8)}
"""Widths of compressed weights, by kind of package; another kind holds any (the lookup tables of `tflite-micro`), or is
said to keep them as int8 (`tflite`)."""
ACTIVATION_BITS = {"cortex-m": (8,)}
"""Widths of activations that have kernels, by kind of package; another kind has those for 8 and 16."""


def check_widths(recipe: CompressionRecipe, target: Target) -> None:
    """Refuse a recipe whose widths a target's kind of package cannot hold.

    Raises:
        UsageError: names the rule, its width, and what the target has.
    """
    for number, rule in enumerate(recipe.rules, 1):
        weights, activations = WEIGHT_BITS.get(target.package), ACTIVATION_BITS.get(target.package)
        if weights is not None and rule.quantizer and rule.weights not in weights:
            below = max(bits for bits in weights if bits < rule.weights)
            raise UsageError(
                f"recipe '{recipe.name}' asks for {rule.weights}-bit weights; target '{target.name}' holds "
                f"{', '.join(map(str, weights))}",
                details={"rule": f'{number}, match = "{rule.match}"'},
                hint=f"weights = {below} in that rule, or --target tflite-micro, whose lookup tables have 1 to 7 bits",
            )
        if activations is not None and rule.activations not in activations:
            raise UsageError(
                f"recipe '{recipe.name}' asks for {rule.activations}-bit activations; target '{target.name}' has "
                f"kernels for {', '.join(map(str, activations))}",
                details={"rule": f'{number}, match = "{rule.match}"'},
                hint="--target tflite",
            )
