"""The order of the device's FFT, which both twins share: radix 4, decimation in time; see esv_fft.h.

A complex array is a pair (real, imaginary); the last axis counts frames, so one numpy operation works on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.frontend.constants import FrontEndTables

Part = npt.NDArray[Any]
Complex = tuple[Part, Part]
Multiply = Callable[[Complex, Complex], Complex]


def half_length_transform(samples: Part, tables: FrontEndTables, multiply: Multiply) -> Complex:
    """Transform even samples as real and odd ones as imaginary parts.

    Args:
        samples: (size, num_frames) windowed samples, zeros behind the window.
        tables: the constants.
        multiply: product of values and twiddle factors, in the path's arithmetic.

    Returns:
        (size / 2, num_frames) complex.
    """
    values = _first_step(samples, tables)
    m = tables.first_radix
    while m < tables.points:
        values = _step(values, m, tables, multiply)
        m *= 4
    return values


def joins(tables: FrontEndTables) -> Complex:
    """Return exp(-2 pi i k / size) for k from 1, (size / 4 - 1, 1) complex."""
    return tables.joins[:, 0, None], tables.joins[:, 1, None]


def add(a: Complex, b: Complex) -> Complex:
    """Return a + b."""
    return a[0] + b[0], a[1] + b[1]


def subtract(a: Complex, b: Complex) -> Complex:
    """Return a - b."""
    return a[0] - b[0], a[1] - b[1]


def _butterfly(a: Complex, t1: Complex, t2: Complex, t3: Complex) -> list[Complex]:
    even, odd = add(a, t2), subtract(a, t2)
    total, turned = add(t1, t3), subtract(t1, t3)
    second = odd[0] + turned[1], odd[1] - turned[0]
    fourth = odd[0] - turned[1], odd[1] + turned[0]
    return [add(even, total), second, subtract(even, total), fourth]


def _first_step(samples: Part, tables: FrontEndTables) -> Complex:
    legs = samples.reshape(tables.first_radix, -1, 2, samples.shape[1])
    points = [(leg[:, 0], leg[:, 1]) for leg in legs]
    if tables.first_radix == 4:
        results = _butterfly(points[0], points[1], points[2], points[3])
    else:
        results = [add(points[0], points[1]), subtract(points[0], points[1])]
    return _scattered([re for re, _ in results], tables), _scattered([im for _, im in results], tables)


def _scattered(legs: Sequence[Part], tables: FrontEndTables) -> Part:
    out = np.empty((tables.points, legs[0].shape[1]), legs[0].dtype)
    for leg, values in enumerate(legs):
        out[tables.order + leg] = values
    return out


def _step(values: Complex, m: int, tables: FrontEndTables, multiply: Multiply) -> Complex:
    """Turn transforms of length m into transforms of length 4 m."""
    shape = values[0].shape
    re, im = (part.reshape(-1, 4, m, shape[1]) for part in values)
    legs = [(re[:, leg], im[:, leg]) for leg in range(4)]
    stride = tables.size // 8 // m
    turns = tables.turns[stride - 1 :: stride]
    turned = [_turned(legs[leg], (turns[:, leg - 1, :1], turns[:, leg - 1, 1:]), multiply) for leg in (1, 2, 3)]
    results = _butterfly(legs[0], turned[0], turned[1], turned[2])
    real, imag = (np.stack([result[part] for result in results], axis=1).reshape(shape) for part in (0, 1))
    return real, imag


def _turned(leg: Complex, turns: Complex, multiply: Multiply) -> Complex:
    """Multiply by the turns; the first frequency has none."""
    re, im = multiply((leg[0][:, 1:], leg[1][:, 1:]), turns)
    return np.concatenate([leg[0][:, :1], re], axis=1), np.concatenate([leg[1][:, :1], im], axis=1)
