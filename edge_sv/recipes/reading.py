"""Recipes in TOML: read, checked, and found by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_sv.errors import DataError, UsageError, reason_of, unknown_name
from edge_sv.recipes.quantizers import GRIDS, METHODS
from edge_sv.recipes.recipe import (
    CONVERTER_BITS,
    CompressionRecipe,
    FineTuning,
    Granularity,
    LayerRule,
    MixedBitWidths,
    Sensitivity,
)
from edge_sv.system.files import read_text
from edge_sv.system.validation import explain_validation_error

RECIPES_DIR = Path(__file__).resolve().parent / "bundled"
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Section):
    match: Annotated[str, Field(min_length=1)]
    weights: Annotated[int, Field(ge=1, le=8)]
    quantizer: str | None = None
    granularity: Granularity = "layer"
    activations: Literal[8, 16] = 8
    clusters: Annotated[int, Field(ge=2, le=256)] | None = None


class _FineTuning(_Section):
    epochs: Annotated[int, Field(ge=0)] = FineTuning.epochs
    steps_per_epoch: Annotated[int, Field(ge=1)] = FineTuning.steps_per_epoch
    batch_size: Annotated[int, Field(ge=1)] = FineTuning.batch_size
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = FineTuning.learning_rate
    aam_weight: Weight = FineTuning.aam_weight
    teachers: tuple[Annotated[str, Field(min_length=1)], ...] = FineTuning.teachers
    teacher_weight: Weight = FineTuning.teacher_weight
    crop_weight: Weight = FineTuning.crop_weight
    frame_weight: Weight = FineTuning.frame_weight

    @model_validator(mode="after")
    def _has_a_goal(self) -> Self:
        taught = self.teacher_weight or self.crop_weight or self.frame_weight
        if taught and not self.teachers:
            raise ValueError("something is to be learned from teachers, but none are named")
        if self.epochs and not taught and not self.aam_weight:
            raise ValueError("nothing to learn: all weights are 0")
        return self


class _Mixed(_Section):
    bits: Annotated[tuple[Annotated[int, Field(ge=1, le=CONVERTER_BITS)], ...], Field(min_length=2)]
    mean_bits: Annotated[float, Field(ge=1, le=8)] | None = None
    budget: Annotated[int, Field(ge=1)] | None = None
    sensitivity: Sensitivity = MixedBitWidths.sensitivity

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if sorted(set(self.bits)) != list(self.bits):
            raise ValueError("the widths must ascend")
        if (self.mean_bits is None) == (self.budget is None):
            raise ValueError("it takes a budget, either as mean_bits or in bytes")
        return self


class _Recipe(_Section):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    description: str
    rules: Annotated[tuple[_Rule, ...], Field(min_length=1)]
    fine_tuning: _FineTuning | None = None
    mixed: _Mixed | None = None


def parse_recipe(values: Mapping[str, Any], *, source: str) -> CompressionRecipe:
    """Check a recipe's values.

    Args:
        values: as TOML or JSON gives them.
        source: where they come from.

    Raises:
        UsageError: an unknown key, an impossible value, or rules that contradict each other.
    """
    try:
        recipe = _Recipe.model_validate(values)
    except ValidationError as error:
        known = {key for part in (_Recipe, _Rule, _FineTuning, _Mixed) for key in part.model_fields}
        raise UsageError(
            f"{source} is not a recipe", details=explain_validation_error(error, known=sorted(known))
        ) from error
    rules = tuple(LayerRule(**rule.model_dump()) for rule in recipe.rules)
    for number, rule in enumerate(rules, 1):
        _check_rule(rule, rules[: number - 1], f'{source}, rule {number} (match = "{rule.match}")')
    _check_activations(rules, source)
    _check_kinds(rules, source)
    if recipe.fine_tuning is None and any(rule.quantizer not in GRIDS for rule in rules if rule.quantizer):
        raise UsageError(f"{source} has quantizers that need fine-tuning", hint="add [fine_tuning]")
    tuning = FineTuning(**recipe.fine_tuning.model_dump()) if recipe.fine_tuning else None
    mixed = MixedBitWidths(**recipe.mixed.model_dump()) if recipe.mixed else None
    if mixed is not None:
        _check_mixed(mixed, rules, source)
    return CompressionRecipe(recipe.name, recipe.description, rules, tuning, mixed)


def read_recipe(path: Path) -> CompressionRecipe:
    """Read a recipe's TOML file.

    Raises:
        DataError: not readable, or not TOML.
        UsageError: an unknown key, an impossible value, or rules that contradict each other.
    """
    try:
        values = tomllib.loads(read_text(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"cannot read {path}", details={"got": reason_of(error)}) from error
    return parse_recipe(values, source=str(path))


def recipe_names() -> list[str]:
    """List the bundled recipes."""
    return sorted(path.stem for path in RECIPES_DIR.glob("*.toml"))


def load_recipe(name: str) -> CompressionRecipe:
    """Read a bundled recipe by its name, or a file of your own by its path.

    Raises:
        UsageError: there is none of this name, or the file is not a recipe.
        DataError: the file cannot be read.
    """
    if name.endswith(".toml"):
        return read_recipe(Path(name))
    if name not in recipe_names():
        raise unknown_name("recipe", name, recipe_names())
    return read_recipe(RECIPES_DIR / f"{name}.toml")


def _check_mixed(mixed: MixedBitWidths, rules: tuple[LayerRule, ...], source: str) -> None:
    """Refuse widths that nothing chooses, or that a rule's quantizer does not have."""
    if not any(rule.quantizer for rule in rules):
        raise UsageError(
            f"{source} chooses widths, and no rule has a quantizer",
            hint="the layers of rules with a quantizer take part",
        )
    for number, rule in enumerate(rules, 1):
        widths = [bits for bits in mixed.bits if bits <= rule.weights]
        quantized = [bits for bits in widths if bits < CONVERTER_BITS]
        known = METHODS[rule.quantizer].bits if rule.quantizer in GRIDS else range(0)
        if rule.quantizer and not (widths and all(bits in known for bits in quantized)):
            raise UsageError(
                f'{source}, rule {number} (match = "{rule.match}"): [mixed] needs widths that its quantizer has',
                details={
                    "got": f"bits = {list(mixed.bits)}, of which {rule.weights} at most by this rule",
                    f"{rule.quantizer} has": ", ".join(map(str, known)) or "none",
                },
            )


def _check_rule(rule: LayerRule, earlier: tuple[LayerRule, ...], where: str) -> None:
    if any(rule.match == other.match for other in earlier):
        raise UsageError(f"{where} contradicts an earlier rule for the same layers", hint="remove one of the two")
    if rule.quantizer is not None and rule.quantizer not in METHODS:
        raise unknown_name("quantizer", rule.quantizer, METHODS)
    _check_clusters(rule, where)
    if rule.weights == CONVERTER_BITS and rule.quantizer is None:
        return
    if rule.quantizer is None:
        raise UsageError(
            f"{where} needs a quantizer for {rule.weights} bits",
            hint=f"quantizer = {' or '.join(repr(n) for n, method in METHODS.items() if rule.weights in method.bits)}",
        )
    method = METHODS[rule.quantizer]
    if rule.weights not in method.bits:
        raise UsageError(
            f"{where}: quantizer '{rule.quantizer}' has no {rule.weights} bits",
            details={"has": ", ".join(map(str, method.bits))},
        )
    if rule.granularity == "channel" and not method.learned:
        raise UsageError(f"{where}: quantizer '{rule.quantizer}' has one fixed codebook, so it has none per channel")


def _check_clusters(rule: LayerRule, where: str) -> None:
    if rule.clusters is not None and not (rule.quantizer and METHODS[rule.quantizer].has_clusters):
        have = " or ".join(repr(name) for name, method in METHODS.items() if method.has_clusters)
        raise UsageError(f"{where} names clusters", hint=f"quantizer = {have} has them, no other")
    if rule.clusters is not None and rule.clusters > 1 << rule.weights:
        raise UsageError(
            f"{where}: {rule.weights} bits do not tell {rule.clusters} clusters apart",
            hint=f"weights = {(rule.clusters - 1).bit_length()}",
        )


def _check_activations(rules: tuple[LayerRule, ...], source: str) -> None:
    """Refuse activations of two widths, and 16-bit ones beside compressed weights: kernels have neither."""
    widths = sorted({rule.activations for rule in rules})
    if len(widths) > 1:
        raise UsageError(
            f"{source} asks for activations of {' and '.join(map(str, widths))} bits in one net",
            hint="give all rules the same",
        )
    if widths != [CONVERTER_BITS] and any(rule.quantizer for rule in rules):
        raise UsageError(
            f"{source} asks for {widths[0]}-bit activations and compressed weights",
            hint="weights = 8 without a quantizer in every rule, or activations = 8",
        )


def _check_kinds(rules: tuple[LayerRule, ...], source: str) -> None:
    """Refuse quantizers that are trained in different ways."""
    ways: dict[str, list[str]] = {}
    for name in sorted({rule.quantizer for rule in rules if rule.quantizer}):
        ways.setdefault(METHODS[name].trainer.partition(":")[2].removesuffix("_method").replace("_", " "), []).append(
            name
        )
    if len(ways) > 1:
        raise UsageError(
            f"{source} mixes quantizers that are trained in different ways",
            details={way: ", ".join(names) for way, names in ways.items()},
        )
