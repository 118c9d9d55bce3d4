"""The static plan: where each tensor lies in one arena, two over each other where neither is in the other's way.

Tensors are placed largest first, each at the lowest address that no placed tensor of an overlapping lifetime blocks.
An output may run into the memory of an input that nothing needs afterwards: a kernel that goes row by row is done with
the upper input rows when it writes the lower output rows, so an output that begins `distance` bytes before the input
never overwrites a row that is still to be read. Elementwise kernels need no distance at all.

Source: C. Pisarchyk and J. Lee, "Efficient memory management for deep neural net inference", 2020 (greedy by size).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_sv_converters.c_source.calls import Call, ElementCall, Program, RowCall, ViewCall, WholeCall, Window
from edge_sv_converters.c_source.graph import Tensor

ALIGNMENT = 16
WHOLE_ROW = Window(height=1)


@dataclass(frozen=True, eq=False)
class Block:
    """Memory with a lifetime, in call numbers, both ends included.

    Args:
        size: bytes.
        first: the call that writes it; -1 for the graph's inputs.
        last: the last call that needs it.
    """

    size: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class StaticPlan:
    """Where everything lies.

    Args:
        arena_bytes: all of it.
        offsets: tensor index -> its first byte; views have their source's.
        scratch: call number -> first byte of its working memory, where it needs any.
    """

    arena_bytes: int
    offsets: Mapping[int, int]
    scratch: Mapping[int, int]


def plan_apart(program: Program) -> StaticPlan:
    """Place every tensor beside all others, so that after a run all of them can be read."""
    sizes = {tensor.index: aligned(tensor.num_bytes) for tensor in program.inputs}
    sizes |= {call.output.index: aligned(call.output.num_bytes) for call in program.calls}
    ends = dict(zip(sizes, itertools.accumulate(sizes.values()), strict=True))
    begin = sum(sizes.values())
    scratch = _scratch_blocks(program)
    working = max((block.size for block in scratch.values()), default=0)
    offsets = {index: end - sizes[index] for index, end in ends.items()}
    return StaticPlan(begin + working, offsets, dict.fromkeys(scratch, begin))


def plan_static(program: Program) -> StaticPlan:
    """Place all tensors and working memory of a program."""
    owners = view_owners(program)
    blocks, scratch = _blocks(program, owners), _scratch_blocks(program)
    overlaps = _overlaps(program, owners, blocks)
    orders: tuple[Callable[[Block], tuple[int, ...]], ...] = (
        lambda block: (-block.size, block.first),
        lambda block: (-block.size, -block.first),
        lambda block: (block.first - block.last, -block.size),
        lambda block: (block.first, -block.size),
        lambda block: (-block.last, -block.size),
    )
    everything = [*blocks.values(), *scratch.values()]
    placements = [_place(sorted(everything, key=order), overlaps) for order in orders]
    best = min(placements, key=lambda placed: _end(placed))
    offsets = {index: best[blocks[owner]] for index, owner in owners.items()}
    return StaticPlan(_end(best), offsets, {number: best[block] for number, block in scratch.items()})


def view_owners(program: Program) -> dict[int, int]:
    """Map every computed tensor's index to that of the tensor whose memory it is: itself, or what it is a view of."""
    owners = {tensor.index: tensor.index for tensor in program.inputs}
    for call in program.calls:
        source = call.inputs[0].index if isinstance(call, ViewCall) and not call.inputs[0].constant else None
        owners[call.output.index] = call.output.index if source is None else owners[source]
    return owners


def padding_row_bytes(call: Call) -> int:
    """Return the bytes of the row that padded taps point to; 0 when there are none."""
    if not isinstance(call, RowCall) or call.window is None or call.window.pad_value is None:
        return 0
    source = call.inputs[0]
    return source.row_bytes if call.window.pads(source.num_rows, call.output.num_rows) else 0


def _blocks(program: Program, owners: Mapping[int, int]) -> dict[int, Block]:
    """Make a block for each tensor that owns memory."""
    end = len(program.calls)
    first = {tensor.index: -1 for tensor in program.inputs}
    last = dict(first)
    tensors = {tensor.index: tensor for tensor in program.inputs}
    for number, call in enumerate(program.calls):
        owner = owners[call.output.index]
        first.setdefault(owner, number)
        last[owner] = max(last.get(owner, number), number)
        tensors.setdefault(call.output.index, call.output)
        for tensor in call.inputs:
            if tensor.index in owners:
                last[owners[tensor.index]] = number
    for tensor in program.outputs:
        if tensor.index in owners:
            last[owners[tensor.index]] = end
    return {index: Block(aligned(tensors[index].num_bytes), first[index], last[index]) for index in first}


def _scratch_blocks(program: Program) -> dict[int, Block]:
    """Make a block for each call's working memory; a row of padding comes behind it."""
    sizes = {n: aligned(call.scratch_bytes) + aligned(padding_row_bytes(call)) for n, call in enumerate(program.calls)}
    return {number: Block(size, number, number) for number, size in sizes.items() if size}


def _overlaps(
    program: Program, owners: Mapping[int, int], blocks: Mapping[int, Block]
) -> dict[tuple[Block, Block], int]:
    """Return (output, input) -> the bytes by which the output must begin before the input, to run into it."""
    overlaps: dict[tuple[Block, Block], int] = {}
    for number, call in enumerate(program.calls):
        output = blocks[owners[call.output.index]]
        if output.first != number:
            continue
        dying = [t for t in call.inputs if t.index in owners and blocks[owners[t.index]].last == number]
        for tensor in dying:
            distance = _distance(call, tensor)
            if distance is not None:
                overlaps[output, blocks[owners[tensor.index]]] = distance
    return overlaps


def _distance(call: Call, tensor: Tensor) -> int | None:
    """Return how far before an input the output must begin; None: they must be apart."""
    positions = [position for position, other in enumerate(call.inputs) if other is tensor]
    if isinstance(call, ElementCall | WholeCall):
        return 0 if all(position in call.in_place for position in positions) else None
    if not isinstance(call, RowCall):
        return None
    window = call.window or WHOLE_ROW
    return row_distance(window, tensor, call.output)


def row_distance(window: Window, source: Tensor, output: Tensor) -> int:
    """Return the bytes by which output must begin before source so that no row is written before its last reading."""
    return max(
        (row + 1) * output.row_bytes - max(0, row * window.stride - window.pad_top) * source.row_bytes
        for row in range(output.num_rows)
    )


def _place(order: Sequence[Block], overlaps: Mapping[tuple[Block, Block], int]) -> dict[Block, int]:
    placed: dict[Block, int] = {}
    for block in order:
        forbidden = sorted(
            _forbidden(block, other, offset, overlaps)
            for other, offset in placed.items()
            if other.first <= block.last and block.first <= other.last
        )
        address = 0
        for low, high in forbidden:
            if low < address < high:
                address = max(address, -(-high // ALIGNMENT) * ALIGNMENT)
        placed[block] = address
    return placed


def _forbidden(block: Block, other: Block, offset: int, overlaps: Mapping[tuple[Block, Block], int]) -> tuple[int, int]:
    """Return the open interval of addresses that a placed block keeps another one from."""
    low, high = offset - block.size, offset + other.size
    if (block, other) in overlaps:
        low = max(low, offset - overlaps[block, other])
    if (other, block) in overlaps:
        high = min(high, offset + overlaps[other, block])
    return low, high


def _end(placed: Mapping[Block, int]) -> int:
    return max((offset + block.size for block, offset in placed.items()), default=0)


def aligned(size: int) -> int:
    """Round bytes up to the arena's alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT
