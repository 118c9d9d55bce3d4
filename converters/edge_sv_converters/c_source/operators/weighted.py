"""What operators with weights share: steps of a window along an axis, and the way from sums to the output's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sv_converters.c_source.calls import Array
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.quantization import activation_limits, padding, quantize_multipliers
from edge_sv_converters.c_source.weights import fold_bias

MAX_SIZE = (1 << 16) - 1
"""Sizes and steps are uint16 in the kernels' parameters."""


@dataclass(frozen=True)
class Steps:
    """How a window moves along one axis.

    Args:
        kernel: taps.
        stride: input values from one output value to the next.
        dilation: input values from one tap to the next.
        pad: padding before the first input value.
        out_size: output values.
    """

    kernel: int
    stride: int
    dilation: int
    pad: int
    out_size: int


@dataclass(frozen=True, eq=False)
class Requantization:
    """From a sum of products to the output's grid.

    Args:
        input_zero_point: what padding holds.
        output_zero_point: added at the end.
        limits: lowest and highest output value.
        bias: (out_channels) int32, the input's zero point folded into it.
        multiplier: (out_channels) int32.
        shift: (out_channels) int8.
    """

    input_zero_point: int
    output_zero_point: int
    limits: tuple[int, int]
    bias: Array
    multiplier: Array
    shift: Array


def find_steps(operation: Operation, letter: str, in_size: int, kernel: int) -> Steps:
    """Read how a window moves along H or W.

    Raises:
        DataError: sizes that no kernel has.
    """
    stride, dilation = int(operation.option(f"stride{letter}")), int(operation.option(f"dilation{letter}Factor"))
    for name, value in {"size": in_size, "kernel": kernel, "stride": stride, "dilation": dilation}.items():
        if not 1 <= value <= MAX_SIZE:
            raise operation.refuse(f"its {name} along {letter} is {value}")
    out_size, pad = padding(operation, in_size, kernel, stride, dilation)
    return Steps(kernel, stride, dilation, pad, out_size)


def check_types(operation: Operation) -> Tensor:
    """Return the weights of an operator whose activations are int8.

    Raises:
        DataError: other types, or weights that are computed.
    """
    weights = operation.input(1)
    types = (operation.input(0).dtype, weights.dtype, operation.output.dtype)
    if types[0] != "int8" or types[1] not in ("int8", "int4") or types[2] != "int8":
        raise operation.refuse(f"input, weights and output are {', '.join(types)}", hint="int8 activations and weights")
    if weights.values is None:
        raise operation.refuse("its weights are computed, not constant")
    if weights.zero_point is None or weights.zero_point.any():
        raise operation.refuse("its weights are not quantized around 0")
    return weights


def find_requantization(operation: Operation, weights: Tensor, *, channel_axis: int) -> Requantization:
    """Read scales, bias and activation of an operator with weights that `check_types` returned.

    Raises:
        DataError: they do not fit together.
    """
    output = operation.output
    assert weights.values is not None and weights.scale is not None, "check_types has looked"
    channels = weights.shape[channel_axis]
    if len(weights.scale) not in (1, channels) or (len(weights.scale) > 1 and weights.axis != channel_axis):
        raise operation.refuse(f"its weights have {len(weights.scale)} scales for {channels} channels")
    in_scale, input_zero_point = operation.input(0).grid
    out_scale, output_zero_point = output.grid
    # In this order and in double precision, as TensorFlow Lite Micro does it.
    factors = in_scale * weights.scale.astype(np.float64) / out_scale
    multiplier, shift = quantize_multipliers(list(np.broadcast_to(factors, channels)))
    bias = fold_bias(_bias(operation, channels), weights.values, input_zero_point, channel_axis)
    return Requantization(
        input_zero_point,
        output_zero_point,
        activation_limits(operation, output),
        Array(bias),
        Array(multiplier),
        Array(shift),
    )


def _bias(operation: Operation, channels: int) -> npt.NDArray[np.int32] | None:
    tensor = operation.inputs[2] if len(operation.inputs) > 2 else None
    if tensor is None:
        return None
    if tensor.values is None or tensor.dtype != "int32" or tensor.elements != channels:
        raise operation.refuse(f"its bias is {tensor.dtype} {tensor.shape}, not a constant of {channels} int32")
    return np.asarray(tensor.values, np.int32).reshape(channels)
