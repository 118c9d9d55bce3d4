"""What a net's weights take in flash in a `cortex-m` package, told before anything is converted.

For each layer with weights: its values or indices, its codebooks, and what comes with every output channel: a bias and
a multiplier of 4 bytes each, a shift of 1. The kernels want values in columns padded to 4 and indices in groups of 8;
`targets/common/include/esv_conv.h` has the layouts. The generator stores equal arrays once, which is not foreseen here:
a package is as large as this says, or some bytes smaller. Lookup tables and other operators' constants are no weights.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sv.artifacts.palette import Palette
from edge_sv.plugins.weight_bytes import WeightBytes
from edge_sv.system.array_types import Int8

INT8_BITS = 8
BIAS_BYTES, SCALE_BYTES = 4, 5
"""Of an output channel: bias; multiplier and shift."""
MAX_PALETTE_BITS = 4
"""The widest index that the kernels read; more values lie as int8."""
WIDTHS = (1, 2, 3, 4, INT8_BITS)
"""Bits of a weight that make a difference in flash."""
PALETTE_WORTH = 0.75
"""The generator makes a palette where it takes less than this share of the plain values' bytes."""
_COLUMN, _GROUP, _DEPTHWISE_GROUP = 4, 8, 4


class CWeightCosts:
    """See `edge_sv.plugins.weight_bytes.WeightCosts`."""

    bit_widths = WIDTHS

    def int8(self, shape: tuple[int, ...]) -> WeightBytes:
        """Count a convolution whose weights are int8."""
        return _with_channels(shape, _values(shape, INT8_BITS), 0)

    def depthwise(self, shape: tuple[int, ...]) -> WeightBytes:
        """Count a depthwise convolution: channels padded to fours."""
        height, width, channels = shape[0], shape[1], shape[2] * shape[3]
        if shape[2] == 1:
            return self.int8((height, width, 1, channels))
        values = height * width * _padded(channels, _DEPTHWISE_GROUP)
        return _with_channels((height, width, 1, channels), values, 0)

    def shared_codebook(self, shape: tuple[int, ...], bits: int) -> WeightBytes:
        """Count a convolution with one codebook; 8 bits have none."""
        return _with_channels(shape, _values(shape, bits), 0 if bits == INT8_BITS else 1 << bits)

    def palette(self, palette: Palette, *, sign_flipped: npt.NDArray[np.bool_] | None = None) -> WeightBytes:
        """Count a convolution with compressed weights, in the form that the generator gives them.

        A channel whose sign is flipped needs the codebook's negative.
        """
        codes, shape = palette.codes, palette.indices.shape
        if sign_flipped is not None:
            codes = np.where(sign_flipped, -codes, codes).astype(np.int8)
        plain = _plain_bits(codes)
        forms = [form for form in (_shared(codes), _per_channel(codes)) if form is not None]
        bits, rows = min(forms, key=lambda form: _cost(codes.size, *form), default=(plain, 0))
        if rows and _cost(codes.size, bits, rows) < PALETTE_WORTH * codes.size * plain / 8:
            return _with_channels(shape, _values(shape, bits), rows << bits)
        return _with_channels(shape, _values(shape, plain), 0)


def _values(shape: tuple[int, ...], bits: int) -> int:
    """Count the packed values of (height, width, in, out) weights."""
    height, width, depth, channels = shape
    window = width * _padded(height * depth, _COLUMN)
    return channels * window if bits == INT8_BITS else channels * _padded(window, _GROUP) * bits // 8


def _with_channels(shape: tuple[int, ...], values: int, codebooks: int) -> WeightBytes:
    return WeightBytes(values, codebooks, SCALE_BYTES * shape[-1], BIAS_BYTES * shape[-1])


def _plain_bits(codes: Int8) -> int:
    """Return 4 where the converter can write the codes as int4: multiples of one step, 7 of it at most."""
    magnitudes = np.abs(codes.astype(np.int64))
    step = int(np.gcd.reduce(magnitudes.ravel()))
    return 4 if step and magnitudes.max() // step <= 7 else INT8_BITS


def _shared(codes: Int8) -> tuple[int, int] | None:
    """Return bits and number of the codebooks when there is one for all channels."""
    return _form(len(np.unique(codes)), 1)


def _per_channel(codes: Int8) -> tuple[int, int] | None:
    """Return bits and number of the codebooks when every channel has one."""
    columns = codes.reshape(-1, codes.shape[-1]).T
    return _form(max(len(np.unique(column)) for column in columns), len(columns))


def _form(entries: int, rows: int) -> tuple[int, int] | None:
    bits = max(1, (entries - 1).bit_length())
    return (bits, rows) if bits <= MAX_PALETTE_BITS else None


def _cost(count: int, bits: int, rows: int) -> float:
    return count * bits / 8 + (rows << bits)


def _padded(count: int, step: int) -> int:
    return -(-count // step) * step
