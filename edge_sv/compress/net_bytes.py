"""What a Keras net's weights will take in flash, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.palette import Palette
from edge_sv.models.layer_names import batch_norm_of
from edge_sv.plugins.generator import DEFAULT_GENERATOR, find_generator
from edge_sv.plugins.weight_bytes import WeightBytes, WeightCosts


def weight_costs() -> WeightCosts:
    """Return the costs of the generator that bits are allocated for."""
    return find_generator(DEFAULT_GENERATOR).weight_costs


def net_bytes(model: Any, palettes: Mapping[str, Palette] | None = None) -> dict[str, WeightBytes]:
    """Count a float net's layers, layer -> bytes; all of them int8 but for those with a palette.

    Args:
        model: a tf_keras.Model.
        palettes: layer -> palette.
    """
    costs, counted = weight_costs(), {}
    for layer in model.layers:
        if hasattr(layer, "depthwise_kernel"):
            counted[layer.name] = costs.depthwise(tuple(layer.depthwise_kernel.shape))
        elif palettes and layer.name in palettes:
            flipped = sign_flipped_channels(model, layer.name)
            counted[layer.name] = costs.palette(palettes[layer.name], sign_flipped=flipped)
        elif hasattr(layer, "kernel"):
            shape = tuple(layer.kernel.shape)
            counted[layer.name] = costs.int8((1,) * (4 - len(shape)) + shape)
    return counted


def sign_flipped_channels(model: Any, layer: str) -> npt.NDArray[np.bool_] | None:
    """Tell which output channels of a layer its batch normalization multiplies by a negative number."""
    norms = [norm for norm in model.layers if norm.name == batch_norm_of(layer)]
    return np.asarray(norms[0].gamma.numpy() < 0) if norms else None
