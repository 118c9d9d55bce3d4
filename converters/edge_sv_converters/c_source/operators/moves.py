"""Operators that take parts of a tensor, reorder it or join several: slices, splits, TRANSPOSE, CONCATENATION."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_sv_converters.c_source.calls import Array, Call, RowCall, Struct, Value, WholeCall
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.operators.strides import inline, merge_loops, row_major

RANK = 5
"""Loops that `esv_move` has."""
MAX_BYTES = (1 << 31) - 1


@dataclass(frozen=True)
class Range:
    """Values start, start + step, ... along a dimension."""

    start: int
    size: int
    step: int = 1


def lower_strided_slice(operation: Operation) -> tuple[Call, ...]:
    """Lower a STRIDED_SLICE."""
    source = operation.input(0)
    begin, end, strides = (constants(operation, position) for position in (1, 2, 3))
    if any(operation.option(f"{kind}Mask") for kind in ("ellipsis", "newAxis")) or operation.option("offset"):
        raise operation.refuse("its ellipsis, new axes or offset have no kernel")
    if not len(begin) == len(end) == len(strides) == len(source.shape):
        raise operation.refuse(f"it has {len(begin)} bounds for {source.shape}")
    masks = [int(operation.option(f"{kind}Mask")) for kind in ("begin", "end", "shrinkAxis")]
    ranges = []
    for axis, size in enumerate(source.shape):
        no_begin, no_end, shrink = (bool(mask & (1 << axis)) for mask in masks)
        if strides[axis] == 0:
            raise operation.refuse("a stride is 0")
        cut = slice(None if no_begin else begin[axis], None if no_end else end[axis], strides[axis])
        if shrink:
            first = begin[axis] + size if begin[axis] < 0 else begin[axis]
            cut = slice(first, first + 1, 1)
        indices = range(size)[cut]
        if len(indices) == 0:
            raise operation.refuse("it takes nothing")
        ranges.append(Range(indices[0], len(indices), strides[axis] if len(indices) > 1 else 1))
    return _lower_ranges(operation, source, operation.output, ranges)


def lower_slice(operation: Operation) -> tuple[Call, ...]:
    """Lower a SLICE."""
    source = operation.input(0)
    begin, size = constants(operation, 1), constants(operation, 2)
    if not len(begin) == len(size) == len(source.shape):
        raise operation.refuse(f"it has {len(begin)} bounds for {source.shape}")
    ranges = [
        Range(first, whole - first if count == -1 else count)
        for first, count, whole in zip(begin, size, source.shape, strict=True)
    ]
    return _lower_ranges(operation, source, operation.output, ranges)


def lower_split(operation: Operation) -> tuple[Call, ...]:
    """Lower a SPLIT."""
    source = operation.input(1)
    axis = _axis(operation, constants(operation, 0), len(source.shape))
    return _lower_parts(operation, source, axis)


def lower_split_v(operation: Operation) -> tuple[Call, ...]:
    """Lower a SPLIT_V."""
    source = operation.input(0)
    axis = _axis(operation, constants(operation, 2), len(source.shape))
    return _lower_parts(operation, source, axis)


def lower_transpose(operation: Operation) -> tuple[Call, ...]:
    """Lower a TRANSPOSE."""
    source, output = operation.input(0), operation.output
    order = constants(operation, 1)
    rank = len(source.shape)
    order = [axis + rank if axis < 0 else axis for axis in order]
    if sorted(order) != list(range(rank)) or output.shape != tuple(source.shape[axis] for axis in order):
        raise operation.refuse(f"{source.shape} in the order {order} is not {output.shape}")
    check_same_values(operation, source, output)
    strides = row_major(source.shape)
    params = moves(operation, output.shape, [strides[axis] for axis in order], row_major(output.shape))
    return (whole_call(operation, source, output, params),)


def lower_concatenation(operation: Operation) -> tuple[Call, ...]:
    """Lower a CONCATENATION within rows: inputs side by side."""
    output = operation.output
    inputs = tuple(operation.input(position) for position in range(len(operation.inputs)))
    rank = len(output.shape)
    axis = int(operation.option("axis"))
    axis = axis + rank if axis < 0 else axis
    if operation.option("fusedActivationFunction") or not 0 <= axis < rank:
        raise operation.refuse("it has a fused activation or no such axis")
    joined = tuple(n if i != axis else sum(t.shape[axis] for t in inputs) for i, n in enumerate(inputs[0].shape))
    alike = all(t.shape[:axis] + t.shape[axis + 1 :] == output.shape[:axis] + output.shape[axis + 1 :] for t in inputs)
    if any(len(tensor.shape) != rank for tensor in inputs) or not alike or joined != output.shape:
        raise operation.refuse(f"{', '.join(str(t.shape) for t in inputs)} along axis {axis} are not {output.shape}")
    for tensor in inputs:
        check_same_values(operation, tensor, output)
    if axis < row_axes(output) or output.dtype != "int8":
        raise operation.refuse(f"its kernel joins int8 within rows, not {output.dtype} along axis {axis} of {rank}")
    parts = [tensor.row_elements // int(np.prod(tensor.shape[row_axes(output) : axis])) for tensor in inputs]
    if max(parts) >= 1 << 16:
        raise operation.refuse(f"a part of it has {max(parts)} values")
    params: dict[str, Value] = {
        "parts": len(parts),
        "places": int(np.prod(output.shape[row_axes(output) : axis])),
        "part_bytes": Array(np.array(parts, np.uint16)),
    }
    call = RowCall(
        operation=operation, inputs=inputs, output=output, kernel="esv_concat_s8", header="esv_move.h",
        params=Struct("esv_concat_params", params),
    )  # fmt: skip
    return (call,)


def _lower_parts(operation: Operation, source: Tensor, axis: int) -> tuple[Call, ...]:
    start = 0
    calls: list[Call] = []
    for output in operation.outputs:
        if len(output.shape) != len(source.shape):
            raise operation.refuse(f"{output.shape} is not a part of {source.shape}")
        ranges = [Range(start if i == axis else 0, output.shape[i]) for i in range(len(source.shape))]
        calls += _lower_ranges(operation, source, output, ranges)
        start += output.shape[axis]
    if start != source.shape[axis]:
        raise operation.refuse(f"its parts have {start} of {source.shape[axis]}")
    return tuple(calls)


def _lower_ranges(operation: Operation, source: Tensor, output: Tensor, ranges: Sequence[Range]) -> tuple[Call, ...]:
    """Copy a part of a tensor: row by row where it takes a part of each row, else as a whole."""
    check_same_values(operation, source, output)
    for cut, size in zip(ranges, source.shape, strict=True):
        if cut.size < 1 or not (0 <= cut.start < size and 0 <= cut.start + (cut.size - 1) * cut.step < size):
            raise operation.refuse(f"it takes {cut.size} from {cut.start} on of {size}")
    sizes = [cut.size for cut in ranges]
    if int(np.prod(sizes)) != output.elements or [n for n in sizes if n > 1] != [n for n in output.shape if n > 1]:
        raise operation.refuse(f"it takes {tuple(sizes)}, its output is {output.shape}")
    outer = row_axes(source)
    strides = row_major(source.shape)
    steps = [cut.step * stride for cut, stride in zip(ranges, strides, strict=True)]
    start = sum(cut.start * stride for cut, stride in zip(ranges, strides, strict=True))
    whole_rows = all(
        cut.size == size and cut.start == 0 for cut, size in zip(ranges[:outer], source.shape, strict=False)
    )
    if whole_rows and source.num_rows == output.num_rows and source.dtype == "int8":
        params = moves(operation, sizes[outer:], steps[outer:], row_major(sizes[outer:]), in_start=start)
        call = RowCall(
            operation=operation, inputs=(source,), output=output, kernel="esv_move_row_s8", header="esv_move.h",
            params=params,
        )  # fmt: skip
        return (call,)
    params = moves(operation, sizes, steps, row_major(sizes), in_start=start)
    return (whole_call(operation, source, output, params),)


def whole_call(operation: Operation, source: Tensor, output: Tensor, params: Struct) -> WholeCall:
    """Move a whole tensor."""
    return WholeCall(
        operation=operation, inputs=(source,), output=output, kernel="esv_move_whole", header="esv_move.h",
        params=params,
    )  # fmt: skip


def moves(
    operation: Operation,
    sizes: Sequence[int],
    in_strides: Sequence[int],
    out_strides: Sequence[int],
    *,
    in_start: int = 0,
    out_start: int = 0,
    fill: int = 0,
    filled: int = 0,
) -> Struct:
    """Write `esv_move_params`; strides, starts and how much is filled before are given in values."""
    tensors = [tensor for tensor in (*operation.inputs, *operation.outputs) if tensor is not None]
    if max(tensor.num_bytes for tensor in tensors) > MAX_BYTES:
        raise operation.refuse("its tensors are too large")
    loops = merge_loops(sizes, in_strides, out_strides)
    item = operation.output.item_bytes
    counts, steps_in, steps_out = list(loops.sizes), list(loops.steps[0]), list(loops.steps[1])
    run = 1
    if counts and steps_in[-1] == steps_out[-1] == 1:
        run = counts.pop()
        steps_in.pop()
        steps_out.pop()
    missing = RANK - len(counts)
    if missing < 0:
        raise operation.refuse(f"it needs more than {RANK} loops")
    members: dict[str, Value] = {
        "sizes": inline("uint32_t", [1] * missing + counts),
        "in_strides": inline("int32_t", [0] * missing + [step * item for step in steps_in]),
        "out_strides": inline("int32_t", [0] * missing + [step * item for step in steps_out]),
        "in_start": in_start * item,
        "out_start": out_start * item,
        "run_bytes": run * item,
        "out_bytes": filled * item,
        "fill_bytes": item if filled else 0,
        "fill": fill,
    }
    return Struct("esv_move_params", members)


def check_same_values(operation: Operation, source: Tensor, output: Tensor) -> None:
    """Refuse to move values to another type or grid."""
    if source.dtype != output.dtype or source.dtype == "int4":
        raise operation.refuse(f"it cannot move {source.dtype} to {output.dtype}")
    if source.scale is not None and output.scale is not None and source.grid != output.grid:
        raise operation.refuse(f"its input's grid {source.grid} is not its output's {output.grid}")


def row_axes(tensor: Tensor) -> int:
    """Return how many dimensions count rows; see `Tensor.num_rows`."""
    return 2 if len(tensor.shape) >= 3 else max(0, len(tensor.shape) - 1)


def _axis(operation: Operation, values: Sequence[int], rank: int) -> int:
    if len(values) != 1 or not -rank <= values[0] < rank:
        raise operation.refuse(f"its axis is {list(values)} of {rank}")
    return values[0] % rank


def constants(operation: Operation, position: int) -> list[int]:
    """Return a constant input's values."""
    tensor = operation.input(position)
    if tensor.values is None or tensor.dtype not in ("int32", "int64"):
        raise operation.refuse(f"its input {position} is not constant")
    return [int(value) for value in tensor.values.ravel()]
