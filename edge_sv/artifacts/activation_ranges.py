"""Ranges that a net's activations were trained with: what each rounded layer's output was clipped to.

They lie beside a net's weights as `ranges.npz`, layer -> (lowest, highest). A converter that finds them takes them as
they are and needs no calibration.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_sv.errors import DataError
from edge_sv.system.npz import read_arrays
from edge_sv.system.packed import is_there

RANGES_FILE = "ranges.npz"

ROUNDING = "quant_"
"""Before the name of a layer in a net that rounds, when the layer does."""
SHIFT = "_shift"
"""After the name of an inverse square root, for the sum that it begins with, an operator of its own."""
INPUT = "_rounded"
"""After the name of the input, for its rounding."""

Range = tuple[float, float]
"""Lowest and highest value, of which the one is not above zero and the other not below."""


def encode_ranges(ranges: Mapping[str, Range]) -> bytes:
    """Pack layer -> range into an npz file's bytes; equal ranges give equal bytes."""
    buffer = io.BytesIO()
    arrays = {layer: np.asarray(ends, np.float32) for layer, ends in ranges.items()}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_ranges(folder: Path) -> dict[str, Range]:
    """Read the ranges beside a net's weights, layer -> range; none when it was not trained with any.

    Raises:
        DataError: damaged.
    """
    path = folder / RANGES_FILE
    if not is_there(path):
        return {}
    ranges = {}
    for layer, ends in read_arrays(path).items():
        if ends.shape != (2,) or not np.isfinite(ends).all() or not ends[0] <= 0 <= ends[1] or ends[0] == ends[1]:
            raise DataError(f"{path} is damaged", details={"layer": layer, "got": str(ends)})
        ranges[layer] = (float(ends[0]), float(ends[1]))
    return ranges


def plain_name(name: str) -> str:
    """Return the name that a layer of a net that rounds has in the plain net."""
    return name.removeprefix(ROUNDING).removesuffix(SHIFT).removesuffix(INPUT)
