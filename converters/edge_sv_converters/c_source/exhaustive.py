"""A short formula for sums of two int8 values, proved by trying all 65,536 pairs.

TensorFlow Lite rounds five times on the way from two int8 values to their sum. Nearly always there is a weighted sum in
32 bits that gives the very same table, and a kernel that computes it needs half the instructions. Its factors are
searched near the real ones, and taken only if no pair of values differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edge_sv.system.array_types import Int64
from edge_sv_converters.c_source.fixed_point import INT8_VALUES

A, B = (plane.copy() for plane in np.meshgrid(INT8_VALUES, INT8_VALUES, indexing="ij"))
"""All pairs of int8 values, (256, 256) each: tables have a's value by row, b's by column."""

_STEPS = sorted(((i, j) for i in range(-5, 6) for j in range(-5, 6)), key=lambda step: step[0] ** 2 + step[1] ** 2)
_INT32 = (1 << 31) - 1


@dataclass(frozen=True)
class WeightedSum:
    """(a * a_factor + b * b_factor + offset) >> shift, within 32 bits."""

    a_factor: int
    b_factor: int
    offset: int
    shift: int

    def table(self) -> Int64:
        """Return its value for all pairs, (256, 256)."""
        return np.asarray((A * self.a_factor + B * self.b_factor + self.offset) >> self.shift)

    @property
    def fits(self) -> bool:
        """Whether b * b_factor + offset and the sum stay within 32 bits for all pairs."""
        partial = B * self.b_factor + self.offset
        return bool(np.abs(partial).max() < _INT32 and np.abs(partial + A * self.a_factor).max() < _INT32)


def find_weighted_sum(
    wanted: Int64, a_real: float, b_real: float, offset_real: float, limits: tuple[int, int]
) -> WeightedSum | None:
    """Find a sum that, limited, equals a table of values; None if there is none near the real factors.

    Args:
        wanted: (256, 256) values within the limits.
        a_real: output steps by which a step of a changes the sum.
        b_real: the same for b.
        offset_real: the sum of two zeros, in output steps.
        limits: lowest and highest output.
    """
    partial = B * b_real + offset_real
    largest = max(float(np.abs(partial).max()), float(np.abs(partial + A * a_real).max())) + 1
    shift = min(28, 30 - math.floor(math.log2(largest)))
    if shift < 1:
        return None
    low, high = wanted > limits[0], wanted < limits[1]
    at_least = (A[low], B[low], wanted[low] << shift)
    at_most = (A[high], B[high], ((wanted[high] + 1) << shift) - 1)
    a_start, b_start = round(a_real * 2**shift), round(b_real * 2**shift)
    at_least, at_most = _keep_tight(at_least, a_start, b_start, 1), _keep_tight(at_most, a_start, b_start, -1)
    for a_step, b_step in _STEPS:
        factors = a_start + a_step, b_start + b_step
        lowest = int(_offsets(at_least, *factors).max(initial=-_INT32))
        highest = int(_offsets(at_most, *factors).min(initial=_INT32))
        if lowest <= highest:
            found = WeightedSum(*factors, (lowest + highest) // 2, shift)
            if found.fits and np.array_equal(np.clip(found.table(), *limits), wanted):
                return found
    return None


Bounds = tuple[Int64, Int64, Int64]
"""For some pairs: a, b, and the limit of their shifted sum."""


def _offsets(bounds: Bounds, a_factor: int, b_factor: int) -> Int64:
    """Return the offset with which each pair's sum is at its limit."""
    a, b, limit = bounds
    return np.asarray(limit - a * a_factor - b * b_factor)


def _keep_tight(bounds: Bounds, a_factor: int, b_factor: int, sign: int) -> Bounds:
    """Leave out bounds that stay loose whatever step of the factors is tried; sign is 1 for lower ones."""
    tightness = sign * _offsets(bounds, a_factor, b_factor)
    reach = 4 * 128 * max(abs(i) for step in _STEPS for i in step)
    tight = tightness >= tightness.max(initial=-_INT32) - reach
    a, b, limit = bounds
    return a[tight], b[tight], limit[tight]
