"""Twin of the device's integer front end: targets/common/src/esv_fft_fixed.c and esv_features_fixed.c.

Integers throughout, in the formats that `edge_sv.frontend.constants` describes, on many frames at once: arrays end
with a frames axis. Shifts round down, as in C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.frontend.constants import LOG_BITS, SCALE_BITS, WEIGHT_BITS, FrontEndTables
from edge_sv.frontend.fft import Complex, add, half_length_transform, joins, subtract
from edge_sv.system.array_types import Int16, Int64, UInt64

LOG_POLYNOMIAL_Q24 = (-15772515, 30291038, -31628499, 33468834)
"""Of f / 2, the highest power first."""

LN_2_Q24 = 11629080
_SHARE_BITS = 30
_BLOCK_FRAMES = 64  # so few that a block stays in the cache


def mel_power(windows: Int16, tables: FrontEndTables) -> tuple[UInt64, Int64]:
    """Compute mel powers.

    Args:
        windows: (num_frames, window_length) samples.
        tables: the constants.

    Returns:
        (num_mels, num_frames) powers in Q(2 f - power_shift + 15), and (num_frames,) how often the samples were
        doubled before.
    """
    doublings = _headroom(windows, tables)
    return _bands(_power_spectrum(windows, doublings, tables), tables), doublings


def log_q24(values: UInt64) -> Int64:
    """Compute natural logarithms of positive integers, to 1e-4; same shape."""
    exponent = np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1
    exponent -= values < _power_of_two(exponent)  # large integers can round up to the next power of two
    mantissa = (values << (63 - exponent).astype(np.uint64)) >> np.uint64(48)
    f_q15 = (mantissa & np.uint64(0x7FFF)).astype(np.int64)
    p = np.full_like(f_q15, LOG_POLYNOMIAL_Q24[0])
    for coefficient in LOG_POLYNOMIAL_Q24[1:]:
        p = _multiply_q16(p, f_q15) + coefficient
    return np.asarray(exponent * LN_2_Q24 + _multiply_q16(p, f_q15))


def quantized(windows: Int16, tables: FrontEndTables) -> npt.NDArray[np.int8]:
    """Turn the windows of one recording, in order, into int8 frames, (num_frames, num_mels)."""
    blocks = [windows[start : start + _BLOCK_FRAMES] for start in range(0, len(windows), _BLOCK_FRAMES)]
    levels = np.concatenate([_levels(block, tables) for block in blocks])
    return _quantize(_normalized(levels, tables), tables)


def _levels(windows: Int16, tables: FrontEndTables) -> Int64:
    """Compute log-mel values, (num_frames, num_mels) Q24."""
    mels, doublings = mel_power(windows, tables)
    floor = np.uint64(tables.floor) << (2 * doublings).astype(np.uint64)
    offset = int(tables.log_offset) - 2 * doublings * LN_2_Q24
    return np.asarray((log_q24(np.maximum(mels, floor)) + offset).T)


def _headroom(windows: Int16, tables: FrontEndTables) -> Int64:
    """Return how often all samples of each window can be doubled, at most window_shift times; (num_frames,)."""
    used = np.bitwise_or.reduce(windows ^ (windows >> 15), axis=1).astype(np.float64)
    return np.asarray(np.minimum(15 - np.frexp(used)[1], tables.window_shift), np.int64)


def _normalized(levels: Int64, tables: FrontEndTables) -> Int64:
    """Subtract the mean known when each frame arrives; (num_frames, num_mels) Q24."""
    out = np.empty_like(levels)
    mean, counted = tables.mean_start.astype(np.int64), tables.prior_frames
    for t, level in enumerate(levels):
        counted = min(counted + 1, tables.horizon_frames)
        share = (1 << _SHARE_BITS) // counted if counted else 0
        mean = mean + (((level - mean) * share) >> _SHARE_BITS)
        out[t] = level - mean
    return out


def _quantize(values: Int64, tables: FrontEndTables) -> npt.NDArray[np.int8]:
    steps = (values * int(tables.inverse_scale)) >> LOG_BITS
    rounded = np.sign(steps) * ((np.abs(steps) + (1 << (SCALE_BITS - 1))) >> SCALE_BITS)
    return np.asarray(np.clip(rounded + tables.zero_point, tables.low, tables.high), np.int8)


def _power_spectrum(windows: Int16, doublings: Int64, tables: FrontEndTables) -> Int64:
    """Compute the powers of all bins, (size / 2, num_frames); bin 0 has no band and stays 0."""
    samples = np.zeros((tables.size, len(windows)), np.int64)
    doubled = windows.T.astype(np.int64) << (16 - tables.window_shift + doublings)
    samples[: tables.window_length] = _multiply_high(doubled, tables.window[: tables.window_length, None])
    real, imag = half_length_transform(samples, tables, _multiply)
    points = tables.points
    k = np.arange(1, points // 2)
    a, b = (real[k], imag[k]), (real[points - k], imag[points - k])
    even, odd = ((a[0] + b[0]) >> 1, (a[1] - b[1]) >> 1), (a[1] + b[1], b[0] - a[0])
    turned = _half_multiply(odd, joins(tables))
    power = np.zeros_like(real)
    power[k] = _square(add(even, turned))
    power[points - k] = _square(subtract(even, turned))
    power[points // 2] = _square((real[points // 2], imag[points // 2]))
    return power >> tables.power_shift


def _multiply_q16(a: Int64, w: Int64) -> Int64:
    return np.asarray((a * w) >> 16)


def _multiply_high(a: Int64, b: npt.NDArray[np.integer[Any]]) -> Int64:
    return np.asarray((a * b) >> 32)


def _half_multiply(a: Complex, b: Complex) -> Complex:
    return (
        _multiply_high(a[0], b[0]) - _multiply_high(a[1], b[1]),
        _multiply_high(a[0], b[1]) + _multiply_high(a[1], b[0]) + 1,
    )


def _multiply(a: Complex, b: Complex) -> Complex:
    real, imag = _half_multiply(a, b)
    return 2 * real, 2 * imag


def _square(a: Complex) -> Int64:
    return np.asarray(a[0] * a[0] + a[1] * a[1])


def _power_of_two(exponent: Int64) -> UInt64:
    return np.asarray(np.uint64(1) << exponent.astype(np.uint64))


def _bands(power: Int64, tables: FrontEndTables) -> UInt64:
    """Sum the bins into bands, (size / 2, num_frames) -> (num_mels, num_frames)."""
    out = np.empty((tables.num_mels, power.shape[1]), np.uint64)
    risen = np.zeros(power.shape[1], np.uint64)
    used = 0
    for segment, count in enumerate(tables.segment_bins.tolist()):
        first = tables.first_bin + used
        powers = power[first : first + count].astype(np.uint64)
        total = powers.sum(axis=0, dtype=np.uint64)
        rising = (powers * tables.rising[used : used + count, None].astype(np.uint64)).sum(axis=0, dtype=np.uint64)
        if segment:
            out[segment - 1] = risen + ((total << np.uint64(WEIGHT_BITS)) - rising)
        risen, used = rising, used + count
    return out
