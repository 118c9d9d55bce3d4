"""Presets, each built once, and their convolutions."""

from __future__ import annotations

from functools import cache
from typing import Any

from tf_keras import layers

from edge_sv.models.presets import build_preset

KINDS = (layers.Conv2D, layers.DepthwiseConv2D)


@cache
def preset(name: str) -> Any:
    return build_preset(name)


def convolutions(model: Any) -> list[str]:
    """List the convolutions of a net in the order they run; depthwise ones, too."""
    return [layer.name for layer in model.layers if isinstance(layer, KINDS)]
