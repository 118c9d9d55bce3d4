"""Operators of two inputs, value by value: how their shapes meet, and which call that makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sv.system.array_types import Int64
from edge_sv_converters.c_source.calls import Array, Call, ElementCall, Struct, Value
from edge_sv_converters.c_source.graph import Operation, Tensor
from edge_sv_converters.c_source.operators.strides import inline, merge_loops, repeated

RANK = 4
"""Dimensions that `esv_broadcast` has."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel of two inputs and its parameters.

    Args:
        name: `esv_<family>_<type>`; its parameters are `esv_<family>_params`, its form for broadcasts
            `esv_<family>_broadcast_<type>` with `esv_<family>_broadcast_params`.
        header: that declares it.
        params: members of the parameter struct.
    """

    name: str
    header: str
    params: Mapping[str, Value]

    @property
    def family(self) -> tuple[str, str]:
        """The name's parts: `esv_add`, `s8`."""
        family, _, kind = self.name.rpartition("_")
        return family, kind


def lower_pairs(operation: Operation, kernel: Kernel) -> tuple[Call, ...]:
    """Lower an operator whose output values come from pairs of its first two inputs' values.

    Raises:
        DataError: shapes that do not meet.
    """
    tensors, output = (operation.input(0), operation.input(1)), operation.output
    rank = len(output.shape)
    shapes = [(1,) * (rank - len(tensor.shape)) + tensor.shape for tensor in tensors]
    if any(len(shape) != rank for shape in shapes) or _meet(*shapes) != output.shape:
        raise operation.refuse(f"{tensors[0].shape} and {tensors[1].shape} do not make {output.shape}")
    outer = 2 if rank >= 3 else max(0, rank - 1)
    fixed = []
    for position, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True)):
        if shape[:outer] == output.shape[:outer]:
            continue
        if any(size != 1 for size in shape[:outer]) or (tensor.num_rows != 1 and not tensor.constant):
            raise operation.refuse(f"its input {tensor.shape} is repeated along some rows of {output.shape} only")
        fixed.append(position)
    family, kind = kernel.family
    name, params = kernel.name, Struct(f"{family}_params", kernel.params)
    row = _row_shape(output.shape[outer:], shapes[0][outer:], shapes[1][outer:])
    if row is not None:
        if len(row.sizes) > RANK:
            raise operation.refuse(f"{tensors[0].shape} and {tensors[1].shape} meet in more than {RANK} dimensions")
        name = f"{family}_broadcast_{kind}"
        members: dict[str, Value] = {"shape": row.struct(output.item_bytes), "pair": params}
        params = Struct(f"{family}_broadcast_params", members)
    in_place = tuple(i for i, tensor in enumerate(tensors) if tensor.num_bytes == output.num_bytes)
    call = ElementCall(
        operation=operation, inputs=tensors, output=output, kernel=name, header=kernel.header, params=params,
        fixed=tuple(fixed), in_place=in_place,
    )  # fmt: skip
    return (call,)


def lower_lookup(operation: Operation, source: Tensor, table: Int64) -> tuple[Call, ...]:
    """Lower an operator that is a function of one int8 value.

    Args:
        operation: of which `source` is the only computed input.
        source: its values.
        table: (256,) output values, of -128 first.
    """
    by_bits = Array(np.roll(table, 128).astype(np.int8), note=f"{operation.kind} of 0 to 127, then of -128 to -1")
    call = ElementCall(
        operation=operation, inputs=(source,), output=operation.output, kernel="esv_lookup_s8", header="esv_lookup.h",
        params=Struct("esv_lookup_params", {"table": by_bits}), in_place=(0,),
    )  # fmt: skip
    return (call,)


def _meet(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...] | None:
    if any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
        return None
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


@dataclass(frozen=True)
class _RowShape:
    """How the inputs are read while a row of the output is computed; see `esv_broadcast`."""

    sizes: tuple[int, ...]
    strides: tuple[tuple[int, ...], tuple[int, ...]]
    blocks: tuple[int, int]

    def struct(self, value_bytes: int) -> Struct:
        """Write the C struct."""
        missing = RANK - len(self.sizes)
        a_strides, b_strides = ([0] * missing + list(steps) for steps in self.strides)
        members: dict[str, Value] = {
            "sizes": inline("uint32_t", [1] * missing + list(self.sizes)),
            "a_strides": inline("uint32_t", a_strides),
            "b_strides": inline("uint32_t", b_strides),
            "a_block": self.blocks[0],
            "b_block": self.blocks[1],
            "value_bytes": value_bytes,
        }
        return Struct("esv_broadcast", members)


def _row_shape(output: Sequence[int], a: Sequence[int], b: Sequence[int]) -> _RowShape | None:
    """Describe a row; None where neither input is repeated within it."""
    loops = merge_loops(output, repeated(a), repeated(b))
    if loops.steps in (((), ()), ((1,), (1,))):
        return None
    return _RowShape(loops.sizes, (loops.steps[0], loops.steps[1]), (math.prod(a), math.prod(b)))
