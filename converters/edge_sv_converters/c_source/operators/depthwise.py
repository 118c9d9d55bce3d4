"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

from edge_sv_converters.c_source.calls import Array, Call, RowCall, Struct, Window
from edge_sv_converters.c_source.graph import Operation
from edge_sv_converters.c_source.operators.weighted import MAX_SIZE, check_types, find_requantization, find_steps


def lower(operation: Operation) -> tuple[Call, ...]:
    """Lower a DEPTHWISE_CONV_2D; weights below 8 bits are widened, there are few of them.

    Raises:
        DataError: shapes, types or options that the kernel does not compute.
    """
    source, weights, output = operation.input(0), check_types(operation), operation.output
    if len(source.shape) != 4 or len(weights.shape) != 4 or source.shape[0] != 1 or weights.shape[0] != 1:
        raise operation.refuse(f"input {source.shape} is not one image, or weights {weights.shape} are no kernel")
    height, width, depth = source.shape[1:]
    vertical = find_steps(operation, "H", height, weights.shape[1])
    horizontal = find_steps(operation, "W", width, weights.shape[2])
    channels = weights.shape[3]
    if not 0 < depth <= MAX_SIZE or channels % depth or not 0 < channels <= MAX_SIZE:
        raise operation.refuse(f"{depth} input channels do not lead to {channels}")
    if output.shape != (1, vertical.out_size, horizontal.out_size, channels):
        raise operation.refuse(f"input {source.shape} and weights {weights.shape} do not make output {output.shape}")
    assert weights.values is not None, "check_types has looked"
    to = find_requantization(operation, channel_axis=3)
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
            "input_zero_point": to.input_zero_point,
            "output_zero_point": to.output_zero_point,
            "activation_min": to.limits[0],
            "activation_max": to.limits[1],
            "weights": Array(weights.values),
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
        ),
    )
