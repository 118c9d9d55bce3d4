"""Pack a convolution's weights for the kernels of `targets/common/include/esv_conv.h`, which has the layouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv_converters.c_source.graph import Codebook

GROUP = 8
"""Packed weights come in groups of this many."""
PALETTE_ORDER = (0, 2, 1, 3, 4, 6, 5, 7)
"""Which weight of its group an index belongs to, at rising bits."""


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights as the kernels read them.

    Args:
        values: (out_channels, bytes of a channel), int8 or uint8.
        bits: of a weight.
        codebook: (1 or out_channels, 2**bits) int8 when the values are indices.
    """

    values: npt.NDArray[Any]
    bits: int
    codebook: npt.NDArray[np.int8] | None = None

    @property
    def codebook_stride(self) -> int:
        """Values from one channel's codebook to the next; 0 when all share one."""
        return 0 if self.codebook is None or len(self.codebook) == 1 else self.codebook.shape[1]


def pack_int8(weights: npt.NDArray[np.int8]) -> PackedWeights:
    """Pack 8-bit weights, (out_channels, height, width, in_channels)."""
    return PackedWeights(in_columns(weights).astype(np.int8), 8)


def pack_int4(weights: npt.NDArray[np.int8]) -> PackedWeights:
    """Pack weights from -8 to 7, (out_channels, height, width, in_channels)."""
    nibbles = (in_groups(in_columns(weights)) + 8).astype(np.uint8)
    packed = nibbles[..., :4] | (nibbles[..., 4:] << 4)
    return PackedWeights(packed.reshape(len(weights), -1), 4)


def pack_indices(palette: Codebook) -> PackedWeights:
    """Pack indices, (out_channels, height, width, in_channels), with their codebook."""
    groups = in_groups(in_columns(palette.indices)).astype(np.uint32)
    shifts = palette.bits * np.arange(GROUP, dtype=np.uint32)
    words = np.bitwise_or.reduce(groups[..., PALETTE_ORDER] << shifts, axis=-1).astype("<u4")
    packed = words[..., np.newaxis].view(np.uint8)[..., : palette.bits]
    codebook = np.zeros((len(palette.codebook), 1 << palette.bits), np.int8)
    codebook[:, : palette.codebook.shape[1]] = palette.codebook
    return PackedWeights(packed.reshape(len(groups), -1), palette.bits, codebook)


def pack_depthwise(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Order a depthwise kernel: (height, width, out_channels) -> (groups of 4 channels, height, width, 4)."""
    height, width, channels = weights.shape
    padded = np.pad(weights, ((0, 0), (0, 0), (0, -channels % 4)))
    return padded.reshape(height, width, -1, 4).transpose(2, 0, 1, 3).astype(np.int8)


def in_columns(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Order weights as windows: (out, height, width, in) -> (out, width * column), columns padded to fours."""
    channels, height, width, depth = weights.shape
    columns = weights.transpose(0, 2, 1, 3).reshape(channels, width, height * depth)
    return np.pad(columns, ((0, 0), (0, 0), (0, -columns.shape[2] % 4))).reshape(channels, -1)


def in_groups(windows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Split windows into groups: (out, window) -> (out, groups, 8), the last one padded."""
    return np.pad(windows, ((0, 0), (0, -windows.shape[1] % GROUP))).reshape(len(windows), -1, GROUP)


def fold_bias(
    bias: npt.NDArray[np.int32] | None, weights: npt.NDArray[np.int8], input_zero_point: int, channel_axis: int
) -> npt.NDArray[np.int32]:
    """Return `bias - input_zero_point * sum of the channel's weights` modulo 2**32, (out_channels) int32."""
    axes = tuple(axis for axis in range(weights.ndim) if axis != channel_axis)
    sums = weights.sum(axis=axes, dtype=np.int64)
    folded = (0 if bias is None else bias.astype(np.int64)) - input_zero_point * sums
    wrapped: npt.NDArray[np.int32] = (folded & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return wrapped
