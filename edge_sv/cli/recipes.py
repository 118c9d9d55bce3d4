"""``edge-sv recipes``: list the compression recipes and explain them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from edge_sv.cli.output import JsonOption, out_console, print_json, print_table
from edge_sv.recipes.quantizers import METHODS
from edge_sv.recipes.reading import load_recipe, recipe_names
from edge_sv.recipes.recipe import FLOAT, CompressionRecipe, FineTuning, LayerRule, MixedBitWidths


def command(
    name: Annotated[str | None, typer.Argument(help="Explain this one: a bundled recipe or a TOML file.")] = None,
    json: JsonOption = False,
) -> None:
    """List the compression recipes, or explain one rule by rule.

    A name tells the method and the bits: static (evenly spaced), power (powers of two), palette (k-means codebook),
    binary (two values); w4: 4-bit weights, wi4: 4-bit integers; ai8: 8-bit activations.

    \b
    Examples:
      edge-sv recipes
      edge-sv recipes palette_w4_ai8
      edge-sv recipes my-recipe.toml --json
    """
    recipes = [load_recipe(name)] if name is not None else [load_recipe(known) for known in recipe_names()]
    if json:
        print_json({"recipes": [recipe.to_dict() for recipe in recipes]})
    elif name is not None:
        _explain(recipes[0])
    else:
        table = Table()
        table.add_column("recipe")
        table.add_column("does")
        for recipe in recipes:
            table.add_row(recipe.name, recipe.description)
        print_table(table)


def _explain(recipe: CompressionRecipe) -> None:
    console = out_console()
    console.print(f"{recipe.name}: {recipe.description}", markup=False, soft_wrap=True)
    table = Table("rule", "layers", "weights", "values", "activations")
    for number, rule in enumerate(recipe.rules, 1):
        most = "up to " if recipe.mixed and rule.quantizer else ""
        table.add_row(str(number), rule.match, f"{most}{rule.weights} bits", _values(rule), f"{rule.activations} bits")
    print_table(table)
    console.print("Of the rules that match a layer the last one counts.")
    if recipe.mixed:
        console.print(_widths(recipe.mixed), markup=False, soft_wrap=True)
    console.print(_training(recipe.fine_tuning), markup=False, soft_wrap=True)


def _values(rule: LayerRule) -> str:
    if rule.quantizer is None:
        return "the converter's: evenly spaced, a scale for each output channel"
    return f"{rule.quantizer}, by {rule.granularity}: {METHODS[rule.quantizer].description}"


def _widths(mixed: MixedBitWidths) -> str:
    widths = f"{', '.join(map(str, mixed.bits[:-1]))} or {mixed.bits[-1]}"
    budget = f"{mixed.budget:,} bytes" if mixed.budget else f"as many bytes as with {mixed.mean_bits:g} bits everywhere"
    measure = {"hessian": "the Hessian's trace", "embedding": "the measured change of embeddings"}[mixed.sensitivity]
    return (
        f"Layers with a quantizer get {widths} bits: the least loss, by {measure}, with which all weights take "
        f"{budget}, or --budget. Narrow layers are rounded first in training."
    )


def _training(tuning: FineTuning | None) -> str:
    if tuning is None or tuning.epochs == 0:
        return "Nothing is trained."
    steps = tuning.epochs * tuning.steps_per_epoch
    weights = {
        "speakers": tuning.aam_weight,
        "teachers' embeddings of recordings": tuning.teacher_weight,
        "of crops": tuning.crop_weight,
        "frame-level maps": tuning.frame_weight,
    }
    goals = ", ".join(f"{goal} {weight:g}" for goal, weight in weights.items() if weight)
    teachers = " + ".join("the float net" if name == FLOAT else name for name in tuning.teachers)
    return (
        f"Then {steps:,} steps of training with rounded weights, learning rate {tuning.learning_rate:g}, "
        f"teacher: {teachers}; weights: {goals}."
    )
