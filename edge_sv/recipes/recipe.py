"""What a compression does: `CompressionRecipe`, a value; `edge_sv.recipes.reading` reads it from TOML.

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
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from edge_sv.errors import UsageError
from edge_sv.recipes.quantizers import METHODS, Method

CONVERTER_BITS = 8
DEFAULT_RECIPE = "static_wi8_ai8"
FLOAT = "float"
"""The net itself, before compression, by this name among a recipe's teachers."""

Granularity = Literal["layer", "channel"]
Sensitivity = Literal["hessian", "embedding"]


@dataclass(frozen=True)
class LayerRule:
    """What happens to the layers whose name matches.

    Args:
        match: shell pattern over layer names, `stage3_*`.
        weights: bits; 8 leaves the layer to the converter, which makes int8 with a scale for each output channel.
        quantizer: which values, a key of `edge_sv.recipes.quantizers.METHODS`; None with 8 bits.
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
    def methods(self) -> list[Method]:
        """The methods of its rules, each once."""
        return [METHODS[name] for name in dict.fromkeys(rule.quantizer for rule in self.rules) if name]

    @property
    def rounds_activations(self) -> bool:
        """Whether activations are rounded in training, so that their ranges come with the net."""
        return any(method.rounds_activations for method in self.methods)

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
