"""Integer arithmetic constants as TensorFlow Lite computes them: multipliers, activation limits, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv_converters.c_source.graph import Operation, Tensor

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME, VALID = 0, 1
MAX_FACTOR = float(1 << 30)
LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Write a real factor as `multiplier * 2**(shift - 31)`, multiplier in [2**30, 2**31); 0 as (0, 0).

    Raises:
        DataError: the factor is not finite, or so large that a 32-bit sum cannot be shifted by it.

    Source: TensorFlow Lite, quantization_util.cc, QuantizeMultiplier.
    """
    if real == 0.0:
        return 0, 0
    if not 0 < real < MAX_FACTOR:
        raise DataError(f"cannot compile a rescaling by {real:g}", details={"cause": "scales far apart, or damaged"})
    fraction, shift = math.frexp(real)
    multiplier = _round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def quantize_multipliers(reals: Sequence[float]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """Write factors, one a channel; see `quantize_multiplier`."""
    pairs = [quantize_multiplier(real) for real in reals]
    return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)


def activation_limits(operation: Operation, output: Tensor) -> tuple[int, int]:
    """Return the lowest and highest value of the output's integers under the operator's fused activation.

    Raises:
        DataError: an activation that has no integer form.
    """
    low, high = LIMITS[output.dtype]
    scale, zero_point = output.grid
    activation = operation.option("fusedActivationFunction")
    bounds = {NONE: (None, None), RELU: (0.0, None), RELU_N1_TO_1: (-1.0, 1.0), RELU6: (0.0, 6.0)}
    if activation not in bounds:
        raise operation.refuse(f"its activation {activation} is not supported")
    floor, ceiling = bounds[activation]
    lowest = low if floor is None else max(low, zero_point + _round_half_away_float32(floor, scale))
    highest = high if ceiling is None else min(high, zero_point + _round_half_away_float32(ceiling, scale))
    return lowest, highest


def padding(operation: Operation, in_size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return output size and padding before the first value along one dimension.

    Source: TensorFlow Lite, padding.h, ComputePaddingHeightWidth.
    """
    span = (kernel - 1) * dilation + 1
    mode = operation.option("padding")
    if mode == SAME:
        out_size = -(-in_size // stride)
    elif mode == VALID:
        out_size = (in_size - span) // stride + 1
    else:
        raise operation.refuse(f"its padding {mode} is neither SAME nor VALID")
    if out_size < 1:
        raise operation.refuse(f"its kernel of {span} is larger than its input of {in_size}")
    return out_size, max(0, (out_size - 1) * stride + span - in_size) // 2


def _round_half_away(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _round_half_away_float32(value: float, scale: float) -> int:
    """Round value / scale, divided in float32."""
    return _round_half_away(float(np.float32(value) / np.float32(scale)))
