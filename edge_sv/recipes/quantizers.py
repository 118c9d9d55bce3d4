"""The table of compression methods: one entry is all that recipes, training and conversion know of a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_sv.errors import UsageError, unknown_name
from edge_sv.recipes.codebooks import binary_adaptive, binary_static, kmeans, powers_of_two, uniform
from edge_sv.recipes.grid import Grid, normalize_channels
from edge_sv.system.array_types import Float32, Float64

STRAIGHT_THROUGH = "edge_sv.compress.straight_through:straight_through_method"
"""Trains a net whose kernels are rounded by a grid at every step."""


@dataclass(frozen=True)
class Method:
    """A compression method: the one entry by which recipes, training and conversion know it.

    Args:
        bits: that a weight may have.
        description: one line for people.
        grid: chooses the values for a layer: (normalized weights, bits) -> grid; None: training alone finds them.
        learned: the values come from the layer's weights, so a codebook for each output channel makes sense.
        trainer: `module:function` that makes the form in which a net trains, see `edge_sv.compress.methods`.
        rounds_activations: activations are rounded in training, too, so that their ranges come with the net.
        has_clusters: a rule may say how many values a layer has.
    """

    bits: range
    description: str
    grid: Callable[[Float64, int], Grid] | None = None
    learned: bool = False
    trainer: str = STRAIGHT_THROUGH
    rounds_activations: bool = False
    has_clusters: bool = False


METHODS: dict[str, Method] = {
    "uniform": Method(range(2, 9), "Space 2^b - 1 values evenly and symmetrically", uniform),
    "powers_of_two": Method(range(2, 5), "Space values by factors of two: a product is a shift", powers_of_two),
    "kmeans": Method(range(1, 9), "Learn the values by k-means over the layer's weights", kmeans, learned=True),
    "binary_static": Method(range(1, 2), "Keep the sign: -1 and +1, the same pair for every layer", binary_static),
    "binary_adaptive": Method(range(1, 2), "Learn the pair of values from the layer", binary_adaptive, learned=True),
    "cluster": Method(
        range(1, 9),
        "Train values that many weights share (weight clustering); activations are rounded in training, too",
        trainer="edge_sv.compress.cluster:cluster_method",
        rounds_activations=True,
        has_clusters=True,
    ),
    "fake_quant": Method(
        range(4, 9, 4),
        "Space values evenly, a scale for each output channel; activations are rounded in training, too",
        trainer="edge_sv.compress.quantization_aware:quantization_aware_method",
        rounds_activations=True,
    ),
}
"""A method is one entry here: by this name recipes call it."""
GRIDS = {name: method.grid for name, method in METHODS.items() if method.grid is not None}
"""Methods that round a given kernel, without training."""


def make_grid(name: str, weights: Float32, bits: int, *, per_channel: bool = False) -> Grid:
    """Choose the values for a layer.

    Args:
        name: a key of GRIDS.
        weights: (height, width, in, out).
        bits: 1 to 8.
        per_channel: a codebook for each output channel, of methods that learn their values.

    Raises:
        UsageError: unknown quantizer, or bits or a granularity it does not have.
    """
    if name not in GRIDS:
        raise unknown_name("quantizer", name, GRIDS)
    choose, method = GRIDS[name], METHODS[name]
    if bits not in method.bits:
        raise UsageError(f"quantizer '{name}' has {method.bits[0]} to {method.bits[-1]} bits, not {bits}")
    if not per_channel:
        return choose(normalize_channels(weights), bits)
    if not method.learned:
        raise UsageError(f"quantizer '{name}' has one fixed codebook, so it has none per channel")
    grids = [choose(normalize_channels(weights[..., o : o + 1]), bits) for o in range(weights.shape[-1])]
    clip_ratio = max(grid.clip_ratio for grid in grids)
    entries = max(len(grid.codebook) for grid in grids)
    rows = [np.rint(grid.codebook.astype(np.float64) * grid.clip_ratio / clip_ratio) for grid in grids]
    filled = [np.pad(row, (0, entries - len(row)), mode="edge") for row in rows]
    return Grid(bits, np.stack(filled).astype(np.int8), clip_ratio)
