"""MEAN: over rows as they arrive, or within each row."""

from __future__ import annotations

from edge_sv_converters.c_source.calls import Call, ReduceCall, Struct
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.quantization import quantize_multiplier

MAX_COUNT = 1 << 23
"""Values of which a sum fits 32 bits, whatever their zero point."""


def lower_mean(operation: Operation) -> tuple[Call, ...]:
    """Lower a MEAN over H, or H and W, of one image.

    Raises:
        DataError: other types or axes.
    """
    source, output = operation.input(0), operation.output
    axes = reduced_axes(operation, source)
    if source.dtype != "int8" or output.dtype != "int8" or len(source.shape) != 4 or source.shape[0] != 1:
        raise operation.refuse(f"its kernel takes one int8 image, not {source.dtype} {source.shape}")
    if axes not in ((1,), (1, 2)):
        raise operation.refuse(f"its axes are {axes}, its kernel takes (1,) and (1, 2)")
    _, height, width, channels = source.shape
    within = width if axes == (1, 2) else 1
    channels = channels * width // within
    if height * within > MAX_COUNT or output.elements != channels:
        raise operation.refuse(f"it has {output.shape} for the mean of {source.shape} over {axes}")
    multiplier, shift = quantize_multiplier(source.grid[0] / output.grid[0])
    params = {
        "width": within, "channels": channels, "in_zero_point": source.grid[1],
        "multiplier": multiplier, "shift": shift, "out_zero_point": output.grid[1],
    }  # fmt: skip
    call = ReduceCall(
        operation=operation, inputs=(source,), output=output, kernel="esv_mean_s8", header="esv_mean.h",
        params=Struct("esv_mean_params", params), state_bytes=8 + 6 * channels,
    )  # fmt: skip
    return (call,)


def reduced_axes(operation: Operation, source: Tensor) -> tuple[int, ...]:
    """Return the dimensions that an operator's second input names, in order, negative ones counted from the end."""
    given = operation.input(1)
    if given.values is None or given.dtype != "int32":
        raise operation.refuse("its axes are not constant")
    rank = len(source.shape)
    axes = {int(axis) + rank if axis < 0 else int(axis) for axis in given.values.ravel()}
    if not axes or not all(0 <= axis < rank for axis in axes):
        raise operation.refuse(f"its axes are {given.values.ravel().tolist()} of {rank}")
    return tuple(sorted(axes))
