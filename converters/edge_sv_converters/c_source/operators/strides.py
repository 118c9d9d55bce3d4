"""Tensors as sizes and strides: dimensions merged, arrays written into structs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_sv_converters.c_source.calls import Struct


@dataclass(frozen=True)
class Loops:
    """Nested loops over several arrays.

    Args:
        sizes: of each loop, the outermost first.
        steps: for each array, how far each loop moves in it.
    """

    sizes: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]


def merge_loops(sizes: Sequence[int], *steps: Sequence[int]) -> Loops:
    """Write loops as few as possible: without those of size 1, and neighbours as one where every array allows."""
    kept: list[int] = []
    kept_steps: list[list[int]] = []
    for size, *step in zip(sizes, *steps, strict=True):
        if size == 1:
            continue
        if kept and kept_steps[-1] == [s * size for s in step]:
            kept[-1] *= size
            kept_steps[-1] = step
        else:
            kept.append(size)
            kept_steps.append(step)
    return Loops(tuple(kept), tuple(tuple(step[i] for step in kept_steps) for i in range(len(steps))))


def row_major(shape: Sequence[int]) -> list[int]:
    """Return each dimension's stride in values."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def repeated(shape: Sequence[int]) -> list[int]:
    """Return each dimension's stride in values, 0 where there is one value to repeat."""
    return [0 if size == 1 else stride for size, stride in zip(shape, row_major(shape), strict=True)]


def inline(ctype: str, values: Sequence[int]) -> Struct:
    """Write an array that is a member of a struct."""
    return Struct(f"{ctype}[{len(values)}]", {str(i): value for i, value in enumerate(values)})
