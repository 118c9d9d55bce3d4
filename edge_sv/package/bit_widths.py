"""Which widths a kind of package can hold: refused before hours of training, not stored wider in silence."""

from __future__ import annotations

from edge_sv.errors import UsageError
from edge_sv.package.kind import find_kind
from edge_sv.package.target import Target
from edge_sv.recipes.recipe import CompressionRecipe


def check_widths(recipe: CompressionRecipe, target: Target) -> None:
    """Refuse a recipe whose widths a target's kind of package cannot hold.

    Raises:
        UsageError: names the rule, its width, and what the target has; or the kind of package is not installed.
        ToolMissing: the kind of package does not load.
    """
    kind = find_kind(target.package)
    weights, activations = kind.weight_bits, kind.activation_bits
    if weights is not None and recipe.mixed is not None and not set(recipe.mixed.bits) <= set(weights):
        raise UsageError(
            f"recipe '{recipe.name}' chooses among weights of {', '.join(map(str, recipe.mixed.bits))} bits; target "
            f"'{target.name}' holds {', '.join(map(str, weights))}",
            hint=f"bits = {[bits for bits in recipe.mixed.bits if bits in weights]} in [mixed]",
        )
    for number, rule in enumerate(recipe.rules, 1):
        if weights is not None and rule.quantizer and rule.weights not in weights:
            below = max((bits for bits in weights if bits < rule.weights), default=weights[0])
            raise UsageError(
                f"recipe '{recipe.name}' asks for {rule.weights}-bit weights; target '{target.name}' holds "
                f"{', '.join(map(str, weights))}",
                details={"rule": f'{number}, match = "{rule.match}"'},
                hint=f"weights = {below} in that rule, or --target tflite-micro, whose lookup tables have 1 to 7 bits",
            )
        if rule.activations not in activations:
            raise UsageError(
                f"recipe '{recipe.name}' asks for {rule.activations}-bit activations; target '{target.name}' has "
                f"kernels for {', '.join(map(str, activations))}",
                details={"rule": f'{number}, match = "{rule.match}"'},
                hint="--target tflite",
            )
