"""Short formulas for operators of two int8 values, proved by trying all 65,536 pairs.

TensorFlow Lite rounds several times on the way from two int8 values to one. Nearly always some formula that rounds once
gives the very same table; a kernel that computes it needs half the instructions. Its constants are searched near the
real ones, and taken only if no pair of values differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sv_converters.c_source.fixed_point import INT8_VALUES, Int64

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
        """Return its value for all pairs."""
        return np.asarray((A * self.a_factor + B * self.b_factor + self.offset) >> self.shift)


@dataclass(frozen=True)
class Product:
    """(a + a_offset) * (b * b_factor + b_offset) * multiplier / 2**32, rounded to nearest, halves up."""

    a_offset: int
    b_factor: int
    b_offset: int
    multiplier: int

    def table(self) -> Int64:
        """Return its value for all pairs."""
        product = (A + self.a_offset) * (B * self.b_factor + self.b_offset)
        return np.asarray((product * self.multiplier + (1 << 31)) >> 32)


def find_weighted_sum(wanted: Int64, a_real: float, b_real: float, limits: tuple[int, int]) -> WeightedSum | None:
    """Find a sum that, limited, equals a table of values, None if there is none near the real factors.

    Args:
        wanted: (256, 256) values within the limits.
        a_real: output steps by which a step of a changes the sum.
        b_real: the same for b.
        limits: lowest and highest output.
    """
    largest = 256 * (abs(a_real) + abs(b_real)) + 512
    shift = min(28, 30 - int(np.ceil(np.log2(largest))))
    if shift < 1:
        return None
    low, high = wanted > limits[0], wanted < limits[1]
    bounds = [(A[low], B[low], wanted[low] << shift), (A[high], B[high], ((wanted[high] + 1) << shift) - 1)]
    a_start, b_start = round(a_real * 2**shift), round(b_real * 2**shift)
    bounds = [_keep_tight(bound, a_start, b_start, sign) for bound, sign in zip(bounds, (1, -1), strict=True)]
    for a_step, b_step in _STEPS:
        a_factor, b_factor = a_start + a_step, b_start + b_step
        (a1, b1, least), (a2, b2, most) = bounds
        lowest = int((least - a1 * a_factor - b1 * b_factor).max(initial=-_INT32))
        highest = int((most - a2 * a_factor - b2 * b_factor).min(initial=_INT32))
        if lowest <= highest:
            found = WeightedSum(a_factor, b_factor, (lowest + highest) // 2, shift)
            if _fits(found) and np.array_equal(np.clip(found.table(), *limits), wanted):
                return found
    return None


def find_product(wanted: Int64, zero_points: tuple[int, int, int], real: float, limits: tuple[int, int]) -> Product | None:
    """Find a product that, with the output's zero point added and limited, equals a table of values.

    Args:
        wanted: (256, 256) values within the limits.
        zero_points: of a, b and the output.
        real: output steps of a product of one step of each.
        limits: lowest and highest output.
    """
    left = max(0, int(np.frexp(real)[1]) + 1)
    start = round(real * 2.0 ** (32 - left))
    if left > 13 or start == 0 or real * (1 << 17) > 1 << 30:
        return None
    for step in (0, 1, -1, 2, -2, 3, -3):
        if not 0 < start + step <= _INT32:
            continue
        found = Product(-zero_points[0], 1 << left, -zero_points[1] << left, start + step)
        if np.array_equal(np.clip(found.table() + zero_points[2], *limits), wanted):
            return found
    return None


def _keep_tight(bound: tuple[Int64, Int64, Int64], a: int, b: int, sign: int) -> tuple[Int64, Int64, Int64]:
    """Leave out bounds on the offset that stay loose whatever step of the factors is tried."""
    left, right, limit = bound
    value = sign * (limit - left * a - right * b)
    reach = 4 * 128 * max(abs(i) for step in _STEPS for i in step)
    tight = value >= value.max(initial=-_INT32) - reach
    return left[tight], right[tight], limit[tight]


def _fits(found: WeightedSum) -> bool:
    """Tell whether no partial sum overflows."""
    b = 128 * abs(found.b_factor) + abs(found.offset)
    return b <= _INT32 and b + 128 * abs(found.a_factor) <= _INT32
