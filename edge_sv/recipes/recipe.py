"""What a compression does: `CompressionRecipe`, read from TOML.

A recipe's name says what is done, `METHOD_wBITS_aiBITS`:

| part | is |
|---|---|
| `static` | evenly spaced values; where weights are `wi8`, the converter's own |
| `qat` | quantization-aware training (TensorFlow Model Optimization): activations are rounded in training, too |
| `power` | powers of two |
| `palette` | a codebook for each layer, learned by k-means |
| `cluster` | a codebook for each layer, by weight clustering (TensorFlow Model Optimization) |
| `binary` | two values for each layer, learned; `binary_static`: -1 and +1 |
| `mixed` | several widths, `w248`: 2, 4 and 8 bits |
| `w4`, `wi4` | bits of a weight; with `i` evenly spaced, so that an integer kernel can hold them without a codebook |
| `ai8`, `ai16` | bits of an activation |
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_sv.errors import DataError, UsageError, unknown_name
from edge_sv.recipes.quantizers import ALLOWED_BITS, LEARNED
from edge_sv.system.validation import explain_validation_error

CONVERTER_BITS = 8
DEFAULT_RECIPE = "static_wi8_ai8"
FLOAT = "float"
"""The net itself, before compression, by this name among a recipe's teachers."""
RECIPES_DIR = Path(__file__).resolve().parent / "bundled"

TRAINED_BITS = {"cluster": range(1, 9), "fake_quant": range(4, 9, 4)}
"""Quantizers of quantization-aware training, which round activations as well -> bits of a weight."""

Granularity = Literal["layer", "channel"]
Sensitivity = Literal["hessian", "embedding"]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class LayerRule:
    """What happens to the layers whose name matches.

    Args:
        match: shell pattern over layer names, `stage3_*`.
        weights: bits; 8 leaves the layer to the converter, which makes int8 with a scale for each output channel.
        quantizer: which values, see `edge_sv.recipes.quantizers`; None with 8 bits; of TRAINED_BITS: trained with
            rounded activations.
        granularity: one codebook for the `layer`, or one for each output `channel`.
        activations: bits, 8 or 16; all rules have the same, and with 16 the weights have the converter's 8.
        clusters: how many values a layer has, for quantizer `cluster`; None: as many as the bits tell apart.
    """

    match: str
    weights: int
    quantizer: str | None = None
    granularity: Granularity = "layer"
    activations: int = 8
    clusters: int | None = None


@dataclass(frozen=True)
class FineTuning:
    """Training after compression, straight through the rounding, with the float net as teacher.

    Args:
        epochs: of steps_per_epoch steps each; 0: none.
        steps_per_epoch: steps.
        batch_size: crops in a step.
        learning_rate: at the start, cosine to zero.
        aam_weight: of the speaker classification, AAM-softmax.
        teachers: `float`, the net itself; names of bundled nets, folders of float nets; several are concatenated.
        teacher_weight: of the cosine distance to the teachers' embeddings of whole clean recordings.
        crop_weight: of the cosine distance to their embeddings of the very crops.
        frame_weight: of the distance to their frame-level maps of the crops.
    """

    epochs: int = 4
    steps_per_epoch: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    aam_weight: float = 0.0
    teachers: tuple[str, ...] = (FLOAT,)
    teacher_weight: float = 0.0
    crop_weight: float = 15.0
    frame_weight: float = 0.0


@dataclass(frozen=True)
class MixedBitWidths:
    """Widths chosen layer by layer under a budget, see `edge_sv.compress.mixed`.

    Layers whose rule has a quantizer take part, with any of the widths up to the rule's.

    Args:
        bits: the widths, ascending; 8 is the converter's int8.
        mean_bits: the budget, as the bytes in flash of so many bits in every layer that takes part.
        budget: the same in bytes of all weights, in place of mean_bits.
        sensitivity: how the loss of a width is estimated: by the trace of the `hessian`, or measured on the
            `embedding`.
    """

    bits: tuple[int, ...]
    mean_bits: float | None = None
    budget: int | None = None
    sensitivity: Sensitivity = "hessian"


@dataclass(frozen=True)
class CompressionRecipe:
    """A compression.

    Args:
        name: in the grammar above.
        description: one line for people.
        rules: in order; of those that match a layer the last one counts.
        fine_tuning: what follows; None: nothing.
        mixed: how widths are chosen; None: they are the rules'.
    """

    name: str
    description: str
    rules: tuple[LayerRule, ...]
    fine_tuning: FineTuning | None = None
    mixed: MixedBitWidths | None = None

    @property
    def compresses(self) -> bool:
        """Whether there is anything to do before the converter."""
        return any(rule.quantizer for rule in self.rules)

    @property
    def rounds_activations(self) -> bool:
        """Whether activations are rounded in training, so that their ranges come with the net."""
        return any(rule.quantizer in TRAINED_BITS for rule in self.rules)

    @property
    def activation_bits(self) -> int:
        """Bits of an activation, the same in all layers."""
        return self.rules[0].activations

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def with_budget(self, budget: int | None) -> CompressionRecipe:
        """Return the recipe with another budget in bytes; None: as it is.

        Raises:
            UsageError: it chooses no widths.
        """
        if budget is None:
            return self
        if self.mixed is None:
            raise UsageError(
                f"recipe '{self.name}' has no budget: its rules say how many bits each layer has",
                hint="give a recipe that chooses widths, as mixed_w248_ai8, or leave out --budget",
            )
        return replace(self, mixed=replace(self.mixed, mean_bits=None, budget=budget))

    def assign(self, layers: Iterable[str]) -> dict[str, LayerRule]:
        """Find the rule of each layer that is compressed.

        Args:
            layers: names of all layers with a convolution kernel.

        Returns:
            layer -> rule, without the layers that are left to the converter.

        Raises:
            UsageError: a rule matches no layer, or later rules leave none to it.
        """
        names = list(layers)
        found: dict[str, LayerRule] = {}
        for number, rule in enumerate(self.rules, 1):
            matched = fnmatch.filter(names, rule.match)
            if not matched:
                raise UsageError(
                    f"recipe '{self.name}', rule {number} matches no layer",
                    details={"match": rule.match, "layers": ", ".join(names)},
                    hint="edge-sv summary MODEL lists the layers",
                )
            found |= dict.fromkeys(matched, rule)
        for number, rule in enumerate(self.rules, 1):
            if rule not in found.values():
                raise UsageError(
                    f"recipe '{self.name}', rule {number} decides nothing: later rules match all of its layers",
                    details={"match": rule.match, "layers": ", ".join(fnmatch.filter(names, rule.match))},
                    hint="the last rule that matches counts: put the wider one first, or remove this one",
                )
        return {name: found[name] for name in names if name in found and found[name].quantizer}


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
    bits: Annotated[tuple[Literal[1, 2, 3, 4, 8], ...], Field(min_length=2)]
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
    if recipe.fine_tuning is None and any(rule.quantizer in TRAINED_BITS for rule in rules):
        raise UsageError(f"{source} has quantizers that are nothing without training", hint="add [fine_tuning]")
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
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"cannot read {path}", details={"got": str(error)}) from error
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
        known = ALLOWED_BITS.get(rule.quantizer or "", range(0))
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
    _check_clusters(rule, where)
    if rule.weights == CONVERTER_BITS and rule.quantizer is None:
        return
    known = {**ALLOWED_BITS, **TRAINED_BITS}
    if rule.quantizer is None:
        raise UsageError(
            f"{where} needs a quantizer for {rule.weights} bits",
            hint=f"quantizer = {' or '.join(repr(n) for n, bits in known.items() if rule.weights in bits)}",
        )
    if rule.quantizer not in known:
        raise unknown_name("quantizer", rule.quantizer, known)
    allowed = known[rule.quantizer]
    if rule.weights not in allowed:
        raise UsageError(
            f"{where}: quantizer '{rule.quantizer}' has no {rule.weights} bits",
            details={"has": ", ".join(map(str, allowed))},
        )
    if rule.granularity == "channel" and rule.quantizer not in LEARNED:
        raise UsageError(f"{where}: quantizer '{rule.quantizer}' has one fixed codebook, so it has none per channel")


def _check_clusters(rule: LayerRule, where: str) -> None:
    if rule.clusters is not None and rule.quantizer != "cluster":
        raise UsageError(f"{where} names clusters", hint="quantizer = 'cluster' has them, no other")
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
    """Refuse quantizers of quantization-aware training beside others: they are trained in different ways."""
    quantizers = {rule.quantizer for rule in rules if rule.quantizer}
    trained = quantizers & TRAINED_BITS.keys()
    if trained and trained != quantizers:
        raise UsageError(
            f"{source} mixes quantizers that are trained in different ways",
            details={
                "quantization-aware": ", ".join(sorted(trained)),
                "others": ", ".join(sorted(quantizers - trained)),
            },
        )
