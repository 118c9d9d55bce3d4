"""What a layer's weights take in flash, foreseen: a generator knows, because it decides how they lie there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.palette import Palette


@dataclass(frozen=True)
class WeightBytes:
    """One layer's bytes in flash.

    Args:
        values: weights, or indices into a codebook.
        codebooks: their entries.
        scales: multipliers and shifts of the output channels.
        biases: of the output channels.
    """

    values: int
    codebooks: int
    scales: int
    biases: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.values + self.codebooks + self.scales + self.biases


def total_bytes(counted: Iterable[WeightBytes]) -> int:
    """Add up layers."""
    return sum(part.total for part in counted)


class WeightCosts(Protocol):
    """Counts a layer's bytes before anything is converted; kernels are (height, width, in, out)."""

    @property
    def bit_widths(self) -> tuple[int, ...]:
        """Bits of a weight that make a difference in flash, ascending; the last is the converter's int8."""

    def int8(self, shape: tuple[int, ...]) -> WeightBytes:
        """Count a convolution whose weights are int8."""

    def depthwise(self, shape: tuple[int, ...]) -> WeightBytes:
        """Count a depthwise convolution, (height, width, in, multiplier), whose weights are int8."""

    def shared_codebook(self, shape: tuple[int, ...], bits: int) -> WeightBytes:
        """Count a convolution with one codebook of all that so many bits tell apart; `bits` is a bit width."""

    def palette(self, palette: Palette, *, sign_flipped: npt.NDArray[np.bool_] | None = None) -> WeightBytes:
        """Count a convolution with compressed weights.

        Args:
            palette: the weights.
            sign_flipped: (out,) channels whose sign a batch normalization changes when it is folded; None: none.
        """
