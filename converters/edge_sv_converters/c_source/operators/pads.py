"""PAD, PADV2, RESIZE_NEAREST_NEIGHBOR: a tensor with more values around or between its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sv_converters.c_source.calls import Call, RowCall, Window
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.operators.moves import (
    check_same_values,
    constants,
    moves,
    row_axes,
    whole_call,
)
from edge_sv_converters.c_source.operators.strides import row_major


def lower_pad(operation: Operation) -> tuple[Call, ...]:
    """Lower a PAD or PADV2.

    Raises:
        DataError: the padding is not constant, negative, or does not lead to the output's shape.
    """
    source, output = operation.input(0), operation.output
    check_same_values(operation, source, output)
    given = constants(operation, 1)
    rank = len(source.shape)
    before, after = given[0::2], given[1::2]
    padded = tuple(n + sum(sides) for n, *sides in zip(source.shape, before, after, strict=False))
    if len(given) != 2 * rank or min(given, default=0) < 0 or padded != output.shape:
        raise operation.refuse(f"{source.shape} padded by {given} is not {output.shape}")
    fill, outer = _fill(operation, output), row_axes(source)
    if source.dtype == "int8" and outer > 0 and source.shape[: outer - 1] == output.shape[: outer - 1]:
        sizes, out_strides = source.shape[outer:], row_major(output.shape[outer:])
        start = _dot(before[outer:], out_strides)
        params = moves(
            operation, sizes, row_major(sizes), out_strides, out_start=start, fill=fill, filled=output.row_elements
        )
        call = RowCall(
            operation=operation, inputs=(source,), output=output, kernel="esv_move_row_s8", header="esv_move.h",
            params=params, window=Window(1, pad_top=before[outer - 1]),
        )  # fmt: skip
        return (call,)
    out_strides = row_major(output.shape)
    params = moves(
        operation, source.shape, row_major(source.shape), out_strides, out_start=_dot(before, out_strides), fill=fill,
        filled=output.elements,
    )  # fmt: skip
    return (whole_call(operation, source, output, params),)


def lower_resize_nearest(operation: Operation) -> tuple[Call, ...]:
    """Lower a RESIZE_NEAREST_NEIGHBOR by whole factors."""
    source, output = operation.input(0), operation.output
    check_same_values(operation, source, output)
    if len(source.shape) != 4 or len(output.shape) != 4 or constants(operation, 1) != list(output.shape[1:3]):
        raise operation.refuse(f"{source.shape} cannot become {output.shape}")
    batch, height, width, channels = source.shape
    tall, wide = output.shape[1] // height, output.shape[2] // width
    if output.shape != (batch, height * tall, width * wide, channels):
        raise operation.refuse(f"{source.shape} to {output.shape} is not by whole factors")
    if operation.option("alignCorners") or operation.option("halfPixelCenters"):
        raise operation.refuse("its align_corners and half_pixel_centers have no kernel")
    sizes = (batch * height, tall, width, wide, channels)
    in_strides = (width * channels, 0, channels, 0, 1)
    return (whole_call(operation, source, output, moves(operation, sizes, in_strides, row_major(sizes))),)


def _fill(operation: Operation, output: Tensor) -> int:
    """Return the bits of the value that is put around."""
    if operation.kind == "PAD":
        return output.grid[1] if output.dtype == "int8" else 0
    value = operation.input(2)
    if value.values is None or value.elements != 1 or value.dtype != output.dtype:
        raise operation.refuse("the value it pads with is not one constant of its type")
    return int(value.values.ravel().view(f"int{8 * value.item_bytes}")[0])


def _dot(places: Sequence[int], strides: Sequence[int]) -> int:
    return int(np.dot(places, strides)) if len(places) else 0
