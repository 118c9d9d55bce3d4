"""TensorFlow Lite's fixed-point arithmetic on numpy arrays of int64, bit for bit, for tables and proofs made offline.

Source: gemmlowp, fixedpoint/fixedpoint.h (logistic, tanh, exp of negative values by a series and a barrel shifter,
1 / (1 + x) by Newton and Raphson); TensorFlow Lite, kernels/internal/common.h. Qm.n has n bits behind the point.
"""

from __future__ import annotations

import numpy as np

from edge_sv.system.array_types import Int64

INT8_VALUES: Int64 = np.arange(-128, 128, dtype=np.int64)
_ONE_Q31 = (1 << 31) - 1
_EXP_STEPS = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242))
"""Powers of two and exp(-2**power), Q0.31."""


def multiply_high(a: Int64, b: int) -> Int64:
    """Return the rounded a * b / 2**31, SaturatingRoundingDoublingHighMul."""
    return np.asarray(np.minimum((a * b + (1 << 30)) >> 31, _ONE_Q31))


def divide_by_power(x: Int64, exponent: int) -> Int64:
    """Return x / 2**exponent rounded to nearest, halves away from zero, RoundingDivideByPOT."""
    if exponent == 0:
        return x
    return np.asarray((x + (1 << (exponent - 1)) - (x < 0)) >> exponent)


def requantize(x: Int64, multiplier: int, shift: int) -> Int64:
    """Return x * multiplier * 2**(shift - 31), rounded twice, MultiplyByQuantizedMultiplier."""
    shifted = (x << max(shift, 0)).astype(np.int32).astype(np.int64)
    return divide_by_power(multiply_high(shifted, multiplier), max(-shift, 0))


def exp_of_negative(x: Int64, integer_bits: int) -> Int64:
    """Return exp(x) in Q0.31 for x <= 0 in Q(integer_bits).(31 - integer_bits), at most 5 integer bits."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    low = (x & (quarter - 1)) - quarter
    remainder = low - x
    result = _exp_of_quarter(low << integer_bits)
    for power, factor in _EXP_STEPS:
        if integer_bits > power:
            bit = 1 << (fraction_bits + power)
            result = np.where(remainder & bit, multiply_high(result, factor), result)
    return np.where(x == 0, _ONE_Q31, result)


def logistic(x: Int64) -> Int64:
    """Return 1 / (1 + exp(-x)) in Q0.31 for x in Q4.27."""
    positive = one_over_one_plus(exp_of_negative(-np.abs(x), 4))
    return np.where(x == 0, 1 << 30, np.where(x > 0, positive, _ONE_Q31 - positive))


def tanh(x: Int64) -> Int64:
    """Return the hyperbolic tangent in Q0.31 for x in Q4.27."""
    e = exp_of_negative(-np.abs(x), 5)  # the same bits read as Q5.26: exp(-2 |x|)
    t = _saturating_shift(_reciprocal_of_half(e) - (1 << 29), 2)
    return np.where(x == 0, 0, np.where(x < 0, -t, t))


def one_over_one_plus(x: Int64) -> Int64:
    """Return 1 / (1 + x) in Q0.31 for x from 0 to 1 in Q0.31."""
    return _saturating_shift(_reciprocal_of_half(x), 1)


def inverse_square_root(x: int) -> tuple[int, int]:
    """Return a Q0.31 multiplier and a shift to the left, 1 / sqrt(x) = multiplier * 2**(shift - 31), x > 0.

    Source: TensorFlow Lite, GetInvSqrtQuantizedMultiplierExp.
    """
    if x <= 1:
        return _ONE_Q31, 0
    shift = 11
    while x >= 1 << 29:
        x, shift = x // 4, shift + 1
    pairs = (31 - x.bit_length()) // 2 - 1
    shift -= pairs
    scaled = np.array((x << 2 * pairs) >> 1, np.int64)
    half, root = divide_by_power(scaled, 1), np.array(1 << 28, np.int64)
    for _ in range(5):
        cube = _saturating_shift(multiply_high(multiply_high(root, int(root)), int(root)), 6)
        root = _saturating_shift(multiply_high(root, (1 << 28) + (1 << 27)) - multiply_high(half, int(cube)), 3)
    multiplier = int(multiply_high(root, 1518500250))
    return (multiplier << -shift, 0) if shift < 0 else (multiplier, -shift)


def _exp_of_quarter(x: Int64) -> Int64:
    """Return exp(x) for x from -1/4 to 0, both Q0.31: a series around -1/8."""
    x = x + (1 << 28)
    x2 = (x * x + (1 << 30)) >> 31
    x3, x4 = (x2 * x + (1 << 30)) >> 31, (x2 * x2 + (1 << 30)) >> 31
    tail = divide_by_power(multiply_high(divide_by_power(x4, 2) + x3, 715827883) + x2, 1)
    return 1895147668 + multiply_high(x + tail, 1895147668)


def _reciprocal_of_half(x: Int64) -> Int64:
    """Return 2 / (1 + x) in Q2.29 for x in Q0.31."""
    total = x + _ONE_Q31
    half = (total + 1) >> 1
    guess = 1515870810 + multiply_high(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - ((half * guess + (1 << 30)) >> 31)
        guess = guess + _saturating_shift((guess * error + (1 << 30)) >> 31, 2)
    return guess


def _saturating_shift(x: Int64, left: int) -> Int64:
    """Return x * 2**left, limited to int32."""
    return np.asarray(np.clip(x << left, -(1 << 31), _ONE_Q31))
