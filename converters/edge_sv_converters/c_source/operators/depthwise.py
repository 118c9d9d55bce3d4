"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

from dataclasses import replace

from edge_sv_converters.c_source.calls import Array, Call, RowCall, Struct, Window
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.operators import conv
from edge_sv_converters.c_source.operators.weighted import MAX_SIZE, check_types, find_requantization, find_steps
from edge_sv_converters.c_source.weights import pack_depthwise

POINTER_BYTES = 8
"""ESV_DEPTHWISE_POINTER_BYTES."""
TILE_BYTES = 4096
"""Working memory for where the kernel's taps lie, unless one pixel needs more."""


def lower(operation: Operation) -> tuple[Call, ...]:
    """Lower a DEPTHWISE_CONV_2D; weights below 8 bits are widened, there are few of them.

    Raises:
        DataError: shapes, types or options that the kernel does not compute.
    """
    source, weights, output = operation.input(0), check_types(operation), operation.output
    if len(source.shape) != 4 or len(weights.shape) != 4 or source.shape[0] != 1 or weights.shape[0] != 1:
        raise operation.refuse(f"input {source.shape} is not one image, or weights {weights.shape} are no kernel")
    if source.shape[3] == 1:
        return conv.lower_kernel(operation, _as_conv(weights))
    height, width, depth = source.shape[1:]
    vertical = find_steps(operation, "H", height, weights.shape[1])
    horizontal = find_steps(operation, "W", width, weights.shape[2])
    channels = weights.shape[3]
    if not 0 < depth <= MAX_SIZE or channels % depth or not 0 < channels <= MAX_SIZE:
        raise operation.refuse(f"{depth} input channels do not lead to {channels}")
    if output.shape != (1, vertical.out_size, horizontal.out_size, channels):
        raise operation.refuse(f"input {source.shape} and weights {weights.shape} do not make output {output.shape}")
    assert weights.values is not None, "check_types has looked"
    to = find_requantization(operation, weights, channel_axis=3)
    taps = vertical.kernel * horizontal.kernel
    tile_width = find_tile_width(horizontal.out_size, taps)
    params = Struct(
        "esv_depthwise_params",
        {
            "in_width": width,
            "in_channels": depth,
            "out_width": horizontal.out_size,
            "depth_multiplier": channels // depth,
            "kernel_height": vertical.kernel,
            "kernel_width": horizontal.kernel,
            "stride_width": horizontal.stride,
            "dilation_width": horizontal.dilation,
            "pad_left": horizontal.pad,
            "tile_width": tile_width,
            "input_zero_point": to.input_zero_point,
            "output_zero_point": to.output_zero_point,
            "activation_min": to.limits[0],
            "activation_max": to.limits[1],
            "weights": Array(pack_depthwise(weights.values[0])),
            "bias": to.bias,
            "multiplier": to.multiplier,
            "shift": to.shift,
        },
    )
    window = Window(vertical.kernel, vertical.stride, vertical.dilation, vertical.pad, pad_value=to.input_zero_point)
    return (
        RowCall(
            operation=operation,
            inputs=(source,),
            output=output,
            kernel="esv_depthwise_s8",
            header="esv_depthwise.h",
            params=params,
            window=window,
            scratch=scratch_bytes(depth, taps, tile_width),
        ),
    )


def find_tile_width(out_width: int, taps: int) -> int:
    """Return how many output pixels' taps are looked up at once."""
    return max(1, min(out_width, TILE_BYTES // (POINTER_BYTES * taps)))


def scratch_bytes(in_channels: int, taps: int, tile_width: int) -> int:
    """Return what `esv_depthwise_scratch_bytes` returns."""
    return taps * 8 + tile_width * taps * POINTER_BYTES + -(-in_channels // 8) * 8


def _as_conv(weights: Tensor) -> Tensor:
    """See a depthwise kernel over one input channel as a convolution's, which it is."""
    assert weights.values is not None, "check_types has looked"
    values = weights.values.transpose(3, 1, 2, 0)
    return replace(weights, shape=values.shape, values=values, axis=0 if weights.axis == 3 else 3, palette=None)
