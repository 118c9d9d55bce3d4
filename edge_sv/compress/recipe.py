"""What a compression does: `CompressionRecipe`, read from TOML.

A recipe's name says what is done, `METHOD_wBITS_aiBITS`:

| part | is |
|---|---|
| `static` | evenly spaced values; where weights are `wi8`, the converter's own |
| `power` | powers of two |
| `palette` | a codebook for each layer, learned by k-means |
| `binary` | two values for each layer, learned; `binary_static`: -1 and +1 |
| `mixed` | several widths, `w248`: 2, 4 and 8 bits |
| `w4`, `wi4` | bits of a weight; with `i` evenly spaced, so that an integer kernel can hold them without a codebook |
| `ai8` | bits of an activation |
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_sv.compress.quantizers import ALLOWED_BITS, LEARNED, QUANTIZERS
from edge_sv.errors import DataError, UsageError, unknown_name

CONVERTER_BITS = 8
DEFAULT_RECIPE = "static_wi8_ai8"
RECIPES_DIR = Path(__file__).resolve().parent / "recipes"

Granularity = Literal["layer", "channel"]


@dataclass(frozen=True)
class LayerRule:
    """What happens to the layers whose name matches.

    Args:
        match: shell pattern over layer names, `stage3_*`.
        weights: bits; 8 leaves the layer to the converter, which makes int8 with a scale for each output channel.
        quantizer: which values, see `edge_sv.compress.quantizers`; None with 8 bits.
        granularity: one codebook for the `layer`, or one for each output `channel`.
        activations: bits.
    """

    match: str
    weights: int
    quantizer: str | None = None
    granularity: Granularity = "layer"
    activations: int = 8


@dataclass(frozen=True)
class FineTuning:
    """Training after compression, straight through the rounding, with the float net as teacher.

    Args:
        epochs: of steps_per_epoch steps each; 0: none.
        steps_per_epoch: steps.
        learning_rate: at the start, cosine to zero.
        teacher_weight: of the cosine distance to the float net's embeddings.
    """

    epochs: int = 4
    steps_per_epoch: int = 200
    learning_rate: float = 3e-4
    teacher_weight: float = 15.0


@dataclass(frozen=True)
class CompressionRecipe:
    """A compression.

    Args:
        name: in the grammar above.
        description: one line for people.
        rules: in order; of those that match a layer the last one counts.
        fine_tuning: what follows; None: nothing.
    """

    name: str
    description: str
    rules: tuple[LayerRule, ...]
    fine_tuning: FineTuning | None = None

    @property
    def compresses(self) -> bool:
        """Whether there is anything to do before the converter."""
        return any(rule.quantizer for rule in self.rules)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def assign(self, layers: Iterable[str]) -> dict[str, LayerRule]:
        """Find the rule of each layer that is compressed.

        Args:
            layers: names of all layers with a convolution kernel.

        Returns:
            layer -> rule, without the layers that are left to the converter.

        Raises:
            UsageError: a rule matches no layer.
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
        return {name: found[name] for name in names if name in found and found[name].quantizer}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Section):
    match: Annotated[str, Field(min_length=1)]
    weights: Annotated[int, Field(ge=1, le=8)]
    quantizer: str | None = None
    granularity: Granularity = "layer"
    activations: Literal[8] = 8


class _FineTuning(_Section):
    epochs: Annotated[int, Field(ge=0)] = FineTuning.epochs
    steps_per_epoch: Annotated[int, Field(ge=1)] = FineTuning.steps_per_epoch
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = FineTuning.learning_rate
    teacher_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = FineTuning.teacher_weight


class _Recipe(_Section):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    description: str
    rules: Annotated[tuple[_Rule, ...], Field(min_length=1)]
    fine_tuning: _FineTuning | None = None


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
        rows = {".".join(map(str, e["loc"])) or "file": f"{e['msg']} (got {e['input']!r})" for e in error.errors()}
        raise UsageError(f"{source} is not a recipe", details=rows) from error
    rules = tuple(LayerRule(**rule.model_dump()) for rule in recipe.rules)
    for number, rule in enumerate(rules, 1):
        _check_rule(rule, rules[: number - 1], f'{source}, rule {number} (match = "{rule.match}")')
    tuning = FineTuning(**recipe.fine_tuning.model_dump()) if recipe.fine_tuning else None
    return CompressionRecipe(recipe.name, recipe.description, rules, tuning)


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


def _check_rule(rule: LayerRule, earlier: tuple[LayerRule, ...], where: str) -> None:
    if any(rule.match == other.match for other in earlier):
        raise UsageError(f"{where} contradicts an earlier rule for the same layers", hint="remove one of the two")
    if rule.weights == CONVERTER_BITS and rule.quantizer is None:
        return
    if rule.quantizer is None:
        raise UsageError(
            f"{where} needs a quantizer for {rule.weights} bits",
            hint=f"quantizer = {' or '.join(repr(n) for n, bits in ALLOWED_BITS.items() if rule.weights in bits)}",
        )
    if rule.quantizer not in QUANTIZERS:
        raise unknown_name("quantizer", rule.quantizer, QUANTIZERS)
    allowed = ALLOWED_BITS[rule.quantizer]
    if rule.weights not in allowed:
        raise UsageError(
            f"{where}: quantizer '{rule.quantizer}' has no {rule.weights} bits",
            details={"has": ", ".join(map(str, allowed))},
        )
    if rule.granularity == "channel" and rule.quantizer not in LEARNED:
        raise UsageError(f"{where}: quantizer '{rule.quantizer}' has one fixed codebook, so it has none per channel")
