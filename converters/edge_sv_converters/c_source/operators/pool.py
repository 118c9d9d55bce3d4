"""MAX_POOL_2D and AVERAGE_POOL_2D: an output row from a window of input rows."""

from __future__ import annotations

from edge_sv_converters.c_source.calls import Call, RowCall, Struct, Window
from edge_sv_converters.c_source.graph import Operation
from edge_sv_converters.c_source.quantization import activation_limits, padding

_KERNELS = {"AVERAGE_POOL_2D": "esv_pool_average_s8", "MAX_POOL_2D": "esv_pool_max_s8"}
MAX_SIZE = 1 << 15
"""Rows or columns of a window, and its strides."""


def lower(operation: Operation) -> tuple[Call, ...]:
    """Lower a pooling.

    Raises:
        DataError: types, shapes or options that its kernel does not compute.
    """
    source, output = operation.input(0), operation.output
    if source.dtype != "int8" or output.dtype != "int8" or len(source.shape) != 4 or source.shape[0] != 1:
        raise operation.refuse(f"its kernel takes one int8 image, not {source.dtype} {source.shape}")
    if source.grid != output.grid:
        raise operation.refuse(f"its input's grid {source.grid} is not its output's {output.grid}")
    height, width = (_size(operation, f"filter{axis}") for axis in ("Height", "Width"))
    stride_height, stride_width = (_size(operation, f"stride{axis}") for axis in ("H", "W"))
    out_height, pad_top = padding(operation, source.shape[1], height, stride_height, 1)
    out_width, pad_left = padding(operation, source.shape[2], width, stride_width, 1)
    if output.shape != (1, out_height, out_width, source.shape[3]):
        raise operation.refuse(f"its output is {output.shape}, its input and options give another shape")
    low, high = activation_limits(operation, output)
    params = {
        "in_width": source.shape[2], "channels": source.shape[3], "out_width": out_width,
        "kernel_height": height, "kernel_width": width, "stride_width": stride_width, "pad_left": pad_left,
        "out_min": low, "out_max": high,
    }  # fmt: skip
    call = RowCall(
        operation=operation, inputs=(source,), output=output, kernel=_KERNELS[operation.kind], header="esv_pool.h",
        params=Struct("esv_pool_params", params), window=Window(height, stride_height, pad_top=pad_top),
    )  # fmt: skip
    return (call,)


def _size(operation: Operation, name: str) -> int:
    size = int(operation.option(name))
    if not 1 <= size <= MAX_SIZE:
        raise operation.refuse(f"its {name} is {size}")
    return size
