"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN: over rows as they arrive, or within each row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge_sv_converters.c_source.calls import Call, ReduceCall, RowCall, Struct
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.quantization import quantize_multiplier

MAX_COUNT = 1 << 23
"""Values of which a sum fits 32 bits, whatever their zero point."""


@dataclass(frozen=True)
class Reduction:
    """Which values become one.

    Args:
        rows: whether all rows do; else each row keeps its own values.
        places: of a row, each reduced by itself.
        width: values that become one at each place and channel of a row.
        channels: values that lie side by side.
    """

    rows: bool
    places: int
    width: int
    channels: int


def lower_mean(operation: Operation) -> tuple[Call, ...]:
    """Lower a MEAN or SUM of int8.

    Source: TensorFlow Lite, kernels/internal/reference/reduce.h, QuantizedMeanOrSum.
    """
    source, output = _int8_tensors(operation)
    how = reduction(operation)
    if how.width * (source.num_rows if how.rows else 1) > MAX_COUNT:
        raise operation.refuse(f"it is over more than {MAX_COUNT} values")
    multiplier, shift = quantize_multiplier(source.grid[0] / output.grid[0])
    if multiplier == 0 or shift > 30:
        raise operation.refuse(f"its scales, {source.grid[0]:.3g} and {output.grid[0]:.3g}, are too far apart")
    params = {
        "width": how.width, "channels": how.channels, "in_zero_point": source.grid[1], "multiplier": multiplier,
        "shift": shift, "out_zero_point": output.grid[1], "divides": int(operation.kind == "MEAN"),
    }  # fmt: skip
    mean, state = Struct("esv_mean_params", params), 8 + 6 * how.channels
    if how.rows:
        return (_reduce_call(operation, "esv_mean_s8", "esv_mean.h", mean, state),)
    call = RowCall(
        operation=operation, inputs=(source,), output=output, kernel="esv_mean_row_s8", header="esv_mean.h",
        params=Struct("esv_mean_row_params", {"places": how.places, "mean": mean}), scratch=state,
    )  # fmt: skip
    return (call,)


def lower_extremum(operation: Operation) -> tuple[Call, ...]:
    """Lower a REDUCE_MAX or REDUCE_MIN of int8 over rows."""
    source, output = _int8_tensors(operation)
    if source.grid != output.grid:
        raise operation.refuse(f"its input's grid {source.grid} is not its output's {output.grid}")
    how = reduction(operation)
    if not how.rows:
        raise operation.refuse("its kernel takes the extremum over rows, not within them")
    sign = 1 if operation.kind == "REDUCE_MAX" else -1
    params: Mapping[str, int] = {"sign": sign, "width": how.width, "channels": how.channels}
    struct = Struct("esv_reduce_extremum_params", params)
    return (_reduce_call(operation, "esv_reduce_extremum_s8", "esv_extremum.h", struct, how.channels),)


def reduction(operation: Operation) -> Reduction:
    """Look at shapes and axes.

    Raises:
        DataError: axes between which others stay.
    """
    source, output = operation.input(0), operation.output
    axes = reduced_axes(operation, source)
    outer = 2 if len(source.shape) >= 3 else max(0, len(source.shape) - 1)
    inner = [axis for axis in range(outer, len(source.shape)) if source.shape[axis] > 1]
    taken = [axis for axis in inner if axis in axes]
    rows = outer - 1 in axes or any(axis in axes and source.shape[axis] > 1 for axis in range(outer))
    if rows and any(source.shape[axis] > 1 for axis in range(outer) if axis not in axes):
        raise operation.refuse(f"its axes {axes} of {source.shape} take some of the rows")
    if taken and taken != inner[inner.index(taken[0]) :][: len(taken)]:
        raise operation.refuse(f"between its axes {axes} of {source.shape} others stay")
    if rows and taken and taken[0] != inner[0]:
        raise operation.refuse(f"between its axes {axes} of {source.shape} others stay")
    first = inner.index(taken[0]) if taken else 0
    sizes = [source.shape[axis] for axis in inner]
    places, width = math.prod(sizes[:first]), math.prod(sizes[first : first + len(taken)])
    how = Reduction(rows, places, width, math.prod(sizes[first + len(taken) :]))
    if output.elements != how.places * how.channels * (1 if rows else source.num_rows):
        raise operation.refuse(f"{source.shape} over {axes} is not {output.shape}")
    if not rows and output.num_rows != source.num_rows:
        raise operation.refuse(f"its output {output.shape} has other rows than its input {source.shape}")
    return how


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


def _int8_tensors(operation: Operation) -> tuple[Tensor, Tensor]:
    source, output = operation.input(0), operation.output
    if source.dtype != "int8" or output.dtype != "int8":
        raise operation.refuse(f"it is from {source.dtype} to {output.dtype}, its kernel of int8")
    return source, output


def _reduce_call(operation: Operation, kernel: str, header: str, params: Struct, state_bytes: int) -> ReduceCall:
    return ReduceCall(
        operation=operation, inputs=(operation.input(0),), output=operation.output, kernel=kernel, header=header,
        params=params, state_bytes=state_bytes,
    )  # fmt: skip
