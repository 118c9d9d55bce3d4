"""Twin of the device's float32 front end: targets/common/src/esv_fft_float.c and esv_features_float.c.

Every product and sum is one float32 operation, in the order of the C code, on many frames at once: arrays end with a
frames axis. So the results are the C code's bits, on whatever core it runs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sv.frontend.constants import FrontEndTables
from edge_sv.frontend.fft import Complex, add, half_length_transform, joins, subtract
from edge_sv.system.array_types import Float32, Int16

LOG_POLYNOMIAL = tuple(np.float32(c) for c in (-0.0587571971, 0.22568582, -0.471301347, 0.997448981))
"""Of the mantissa, the highest power first."""

LN_2 = np.float32(0.693147182)
_BLOCK_FRAMES = 64  # so few that a block stays in the cache


def mel_power(windows: Int16, tables: FrontEndTables) -> Float32:
    """Compute mel powers, (num_frames, window_length) samples -> (num_mels, num_frames)."""
    return _bands(_power_spectrum(windows, tables), tables)


def log(values: Float32) -> Float32:
    """Compute natural logarithms of normal positive numbers, to 8e-5; same shape."""
    bits = values.view(np.int32)
    exponent = ((bits >> 23) - 127).astype(np.float32)
    f = ((bits & 0x7FFFFF) | 0x3F800000).view(np.float32) - np.float32(1)
    p = np.full_like(f, LOG_POLYNOMIAL[0])
    for coefficient in LOG_POLYNOMIAL[1:]:
        p = p * f + coefficient
    return np.asarray(exponent * LN_2 + p * f)


def quantized(windows: Int16, tables: FrontEndTables) -> npt.NDArray[np.int8]:
    """Turn the windows of one recording, in order, into int8 frames, (num_frames, num_mels)."""
    blocks = [windows[start : start + _BLOCK_FRAMES] for start in range(0, len(windows), _BLOCK_FRAMES)]
    mels = np.concatenate([mel_power(block, tables).T for block in blocks])
    levels = log(np.maximum(mels, np.float32(tables.floor)))
    return _quantize(_normalized(levels, tables), tables)


def _normalized(levels: Float32, tables: FrontEndTables) -> Float32:
    """Subtract the mean known when each frame arrives; (num_frames, num_mels)."""
    out = np.empty_like(levels, order="C")
    mean, counted = tables.mean_start.copy(), tables.prior_frames
    for t, level in enumerate(levels):
        counted = min(counted + 1, tables.horizon_frames)
        share = np.float32(1) / np.float32(counted) if counted else np.float32(0)
        mean = mean + (level - mean) * share
        out[t] = level - mean
    return out


def _quantize(values: Float32, tables: FrontEndTables) -> npt.NDArray[np.int8]:
    steps = values * np.float32(tables.inverse_scale)
    rounded = np.trunc(np.where(steps < 0, steps - np.float32(0.5), steps + np.float32(0.5)))
    return np.asarray(np.clip(rounded + np.float32(tables.zero_point), tables.low, tables.high), np.int8)


def _power_spectrum(windows: Int16, tables: FrontEndTables) -> Float32:
    """Compute the powers of all bins, (size / 2, num_frames); bin 0 has no band and stays 0."""
    samples = np.zeros((tables.size, len(windows)), np.float32)
    samples[: tables.window_length] = windows.T.astype(np.float32) * tables.window[: tables.window_length, None]
    real, imag = half_length_transform(samples, tables, _multiply)
    points = tables.points
    k = np.arange(1, points // 2)
    a, b = (real[k], imag[k]), (real[points - k], imag[points - k])
    even, odd = (a[0] + b[0], a[1] - b[1]), (a[1] + b[1], b[0] - a[0])
    turned = _multiply(odd, joins(tables))
    power = np.zeros_like(real)
    power[k] = _square(add(even, turned))
    power[points - k] = _square(subtract(even, turned))
    power[points // 2] = np.float32(4) * _square((real[points // 2], imag[points // 2]))
    return power


def _multiply(a: Complex, b: Complex) -> Complex:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _square(a: Complex) -> Float32:
    return np.asarray(a[0] * a[0] + a[1] * a[1])


def _bands(power: Float32, tables: FrontEndTables) -> Float32:
    """Sum the bins into bands, bin by bin, (size / 2, num_frames) -> (num_mels, num_frames)."""
    out = np.empty((tables.num_mels, power.shape[1]), np.float32)
    risen = np.zeros(power.shape[1], np.float32)
    used = 0
    for segment, count in enumerate(tables.segment_bins.tolist()):
        total, rising = np.zeros_like(risen), np.zeros_like(risen)
        for place in range(used, used + count):
            bin_power = power[tables.first_bin + place]
            total = total + bin_power
            rising = rising + bin_power * tables.rising[place]
        if segment:
            out[segment - 1] = risen + (total - rising)
        risen, used = rising, used + count
    return out
