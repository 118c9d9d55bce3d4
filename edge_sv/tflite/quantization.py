"""The grid of an int8 tensor: how float32 values become the net's input, and its output becomes float32 again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sv.errors import DataError
from edge_sv.system.array_types import Float32, Int8


@dataclass(frozen=True)
class TensorFormat:
    """Shape and scale of an int8 tensor: value = scale * (q - zero_point)."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> TensorFormat:
        """Read an interpreter's description of an input or output.

        Raises:
            DataError: the tensor is not int8 with one scale.
        """
        scales, zero_points = (details["quantization_parameters"][key] for key in ("scales", "zero_points"))
        if np.dtype(details["dtype"]) != np.int8 or len(scales) != 1:
            raise not_int8(f"{np.dtype(details['dtype']).name} with {len(scales)} scales")
        return cls(tuple(int(n) for n in details["shape"]), float(scales[0]), int(zero_points[0]))

    def quantize(self, values: Float32) -> Int8:
        """Round half away from zero to the tensor's grid and saturate; float32 arithmetic as on the device."""
        steps = values / np.float32(self.scale)
        rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)) + np.float32(self.zero_point)
        return np.asarray(np.clip(rounded, -128, 127), np.int8)

    def dequantize(self, values: Int8) -> Float32:
        """Return the float32 values that int8 values stand for."""
        return np.asarray(
            np.float32(self.scale) * (values.astype(np.float32) - np.float32(self.zero_point)), np.float32
        )


def not_int8(got: str) -> DataError:
    """Make the error for a model whose input or output has another form."""
    return DataError(
        "the model's input and output must be int8 tensors with one scale",
        details={"got": got},
        hint="convert the float net with edge-sv build",
    )
