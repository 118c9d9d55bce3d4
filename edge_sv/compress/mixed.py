"""Mixed precision: find each layer's width under a budget, and train narrow layers first.

The plan: every width that the recipe offers is tried on every layer (`sensitivity`), its bytes are counted
(`weight_bytes`), and the best combination that fits is taken (`allocate`). Source: arXiv 2406.05359, section 4.

Training, in that paper's order: stage k rounds the layers of at most the k-th width and leaves the others float, so
that what hurts most settles first and wider layers can make up for it. The paper recalibrates batch normalization
between stages; here every step normalizes by its own batch, and the running statistics follow within the stage.
Layers of 8 bits are the converter's, in training they are float.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from edge_sv.compress.method import Crops, Extras
from edge_sv.compress.net_bytes import net_bytes, sign_flipped_channels, weight_costs
from edge_sv.compress.sensitivity import MEASURES, Progress, ResultJournal
from edge_sv.compress.straight_through import CompressedConv2D, NetCompression, find_layers
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import encode_weights
from edge_sv.plugins.weight_bytes import WeightBytes, total_bytes
from edge_sv.recipes.bit_allocation import BitAllocation, Choice, allocate
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import make_grid
from edge_sv.recipes.recipe import CONVERTER_BITS, CompressionRecipe, LayerRule, MixedBitWidths
from edge_sv.system.array_types import Float32
from edge_sv.system.files import sha256_bytes

NOTEBOOK_VERSION = 1
"""Of what sensitivities mean; another one measures them again."""
LAST_STAGE_SHARE = 3
"""The last stage has at least one in so many epochs."""


@dataclass(frozen=True, eq=False)
class _Rounded:
    """A layer's kernel at one width, and what it takes."""

    values: Float32
    bytes: WeightBytes


def plan_widths(
    model: tf_keras.Model, recipe: CompressionRecipe, crops: Float32, *, source: str, cache: Path, progress: Progress
) -> BitAllocation:
    """Choose the widths of a float net's layers.

    Args:
        model: the float net.
        recipe: a mixed one.
        crops: (n, frames, num_mels, 1) of speech to measure sensitivities on.
        source: where they come from, for the plan.
        cache: folder for sensitivities: they are kept, and a killed search goes on from them.
        progress: called as the search goes on.

    Raises:
        UsageError: a rule matches no layer or one that cannot be compressed, or a budget that no plan keeps, or all do.
        DataError: the cache cannot be written.
    """
    mixed = recipe.mixed
    assert mixed is not None, "the recipe is a mixed one"
    rules = find_layers(model, recipe)
    rounded = {name: _round_layer(model, name, rule, mixed) for name, rule in rules.items()}
    fixed = total_bytes(part for name, part in net_bytes(model).items() if name not in rounded)
    measured = MEASURES[mixed.sensitivity](
        model,
        {name: {bits: form.values for bits, form in forms.items()} for name, forms in rounded.items()},
        crops,
        journal=ResultJournal(cache / f"sensitivity-{_key(model, crops, mixed, rules)}.json"),
        progress=progress,
    )
    choices = {
        name: [Choice(bits, float(f"{measured[name][bits]:.6g}"), form.bytes.total) for bits, form in forms.items()]
        for name, forms in rounded.items()
    }
    method = f"{mixed.sensitivity}, {len(crops)} crops of {source}"
    budget = mixed.budget or fixed + _mean_bytes(model, rules, mixed)
    allocation = allocate(choices, fixed=fixed, budget=budget, method=method)
    _refuse_no_compression(allocation, recipe)
    return allocation


def _refuse_no_compression(allocation: BitAllocation, recipe: CompressionRecipe) -> None:
    if set(allocation.bits.values()) == {CONVERTER_BITS}:
        raise UsageError(
            f"a budget of {allocation.budget:,} bytes leaves all layers of '{recipe.name}' at {CONVERTER_BITS} bits",
            details={"all at 8 bits": f"{allocation.total_bytes:,} bytes"},
            hint="give a smaller --budget, or build with --recipe static_wi8_ai8",
        )


def mixed_method(model: tf_keras.Model, recipe: CompressionRecipe, widths: BitAllocation, *, epochs: int) -> MixedForm:
    """Make the form in which a net trains under a plan of widths, for so many epochs.

    Raises:
        UsageError: a rule matches no layer, or one that cannot be compressed.
    """
    grids = {}
    for name, rule in find_layers(model, recipe).items():
        bits = widths.bits[name]
        if bits < CONVERTER_BITS:
            assert rule.quantizer is not None, "find_layers finds those that have one"
            per_channel = rule.granularity == "channel"
            grids[name] = make_grid(rule.quantizer, _kernel(model, name), bits, per_channel=per_channel)
    stages = divide_epochs(sorted({grid.bits for grid in grids.values()}), epochs)
    return MixedForm(NetCompression(grids), widths, stages)


def divide_epochs(widths: Sequence[int], epochs: int) -> tuple[int, ...]:
    """Give each epoch the largest width that is rounded in it: ascending, the last one for a third of them at least.

    With fewer epochs than widths, the smallest ones begin together.

    Args:
        widths: those below 8 bits, ascending.
        epochs: in all.
    """
    spare = epochs - -(-epochs // LAST_STAGE_SHARE)
    before = min(len(widths) - 1, spare)
    if before < 1:
        return tuple(widths[-1:]) * epochs
    share = min(epochs // (before + 1), spare // before)
    early = [width for width in widths[-1 - before : -1] for _ in range(share)]
    return (*early, *[widths[-1]] * (epochs - len(early)))


class MixedForm:
    """A net's form under mixed precision: stages of training, of which the last one has every layer rounded.

    Args:
        compression: all grids.
        widths: the plan, which goes into the net's provenance.
        stages: of each epoch, the largest width that is rounded.
    """

    def __init__(self, compression: NetCompression, widths: BitAllocation, stages: Sequence[int]) -> None:
        self._compression, self._widths, self._stages = compression, widths, tuple(stages)
        self._limit = max((grid.bits for grid in compression.grids.values()), default=0)
        self._layers: list[CompressedConv2D] = []

    def trainable(self, model: tf_keras.Model, _crops: Crops | None = None) -> tf_keras.Model:
        """Clone the net; all its layers are rounded until an epoch begins."""
        twin = self._compression.trainable(model)
        self._layers = [layer for layer in twin.layers if isinstance(layer, CompressedConv2D)]
        return twin

    def begin_epoch(self, epoch: int) -> bool:
        """Round the layers of this epoch's stage."""
        self._limit = self._stages[min(epoch, len(self._stages) - 1)]
        before = [layer.active for layer in self._layers]
        for layer in self._layers:
            layer.active = layer.grid is not None and layer.grid.bits <= self._limit
        return before != [layer.active for layer in self._layers]

    def finish(self, net: tf_keras.Model, trained: Sequence[Float32]) -> Extras:
        """Put trained weights into the plain net and round every planned layer, in whatever stage."""
        extras = self._compression.finish(net, trained)
        complete = all(grid.bits <= self._limit for grid in self._compression.grids.values())
        figures = {"rounded_bits": float(self._limit), "complete": float(complete)}
        return Extras(extras.palettes, extras.files, figures, {"widths": self._widths.to_dict()})


def _round_layer(model: tf_keras.Model, name: str, rule: LayerRule, mixed: MixedBitWidths) -> dict[int, _Rounded]:
    """Round a layer to every width that it may have: bits -> kernel and bytes."""
    assert rule.quantizer is not None, "find_layers finds those that have one"
    kernel, costs = _kernel(model, name), weight_costs()
    forms = {}
    for bits in mixed.bits:
        if bits > rule.weights:
            continue
        if bits == CONVERTER_BITS:
            forms[bits] = _Rounded(_int8(kernel), costs.int8(kernel.shape))
        else:
            palette = quantize(
                kernel, make_grid(rule.quantizer, kernel, bits, per_channel=rule.granularity == "channel")
            )
            flipped = sign_flipped_channels(model, name)
            forms[bits] = _Rounded(palette.weights(), costs.palette(palette, sign_flipped=flipped))
    return forms


def _mean_bytes(model: tf_keras.Model, rules: Collection[str], mixed: MixedBitWidths) -> int:
    """Return what the layers take at the mean bits, between two widths in proportion."""
    shapes = [model.get_layer(name).kernel.shape for name in rules]
    costs = weight_costs()
    widths = costs.bit_widths
    sizes = [total_bytes(costs.shared_codebook(tuple(shape), bits) for shape in shapes) for bits in widths]
    assert mixed.mean_bits is not None, "a recipe has it, or a budget"
    return int(np.interp(mixed.mean_bits, widths, sizes))


def _kernel(model: tf_keras.Model, name: str) -> Float32:
    return np.asarray(model.get_layer(name).kernel.numpy(), np.float32)


def _int8(kernel: Float32) -> Float32:
    """Round a kernel as the converter does: symmetric int8, a scale for each output channel."""
    scales = np.maximum(np.abs(kernel).max(axis=(0, 1, 2)), 1e-30) / 127
    return np.asarray(np.rint(kernel / scales) * scales, np.float32)


def _key(model: tf_keras.Model, crops: Float32, mixed: MixedBitWidths, rules: dict[str, LayerRule]) -> str:
    """Identify measurements: the net, the crops and the method; rounding counts where it is measured itself."""
    known: list[Any] = [NOTEBOOK_VERSION, mixed.sensitivity, sha256_bytes(encode_weights(model))]
    known += [sha256_bytes(np.ascontiguousarray(crops).tobytes()), list(crops.shape)]
    if mixed.sensitivity == "embedding":
        known += [[name, rule.quantizer, rule.granularity] for name, rule in rules.items()]
    return sha256_bytes(json.dumps(known).encode())[:16]
