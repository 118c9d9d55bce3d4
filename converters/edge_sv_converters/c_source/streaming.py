"""The streaming plan: whether a net is local in time up to its pooling, and what a device then keeps of each tensor.

Local operators (convolutions, pools along time, elementwise ones) make a row from a few rows of their inputs; they
become stages that run as frames arrive. A pooling reduces all rows of a tensor to one; what follows it, the tail, is
computed once, after the last frame. An operator that needs all rows before it can begin makes the net not local: it
belongs to the tail, too, and the tensor it reads is kept whole, for the exported number of frames alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edge_sv_converters.c_source.calls import Call, ElementCall, Program, ReduceCall, RowCall, ViewCall, Window
from edge_sv_converters.c_source.graph import Tensor
from edge_sv_converters.c_source.plan import StaticPlan, aligned, plan_static
from edge_sv_converters.c_source.quantization import SAME
from edge_sv_converters.c_source.stream_rings import INPUT, Reach, Rings, Stage, plan_rings

COUNTERS_PER_TENSOR = 3
MAX_FRAMES = 1 << 24
_BYTE = 255
_ROW_ALIGNMENT = 4


@dataclass(frozen=True)
class NotLocal:
    """Why a net is not local: the first operator that stands in the way."""

    operator: str
    why: str

    def __str__(self) -> str:
        return f"{self.operator} {self.why}"


@dataclass(frozen=True)
class Ring:
    """Memory of a tensor's latest rows: offset in the state, bytes from one row to the next, number of rows."""

    offset: int
    row_bytes: int
    rows: int


@dataclass(frozen=True, eq=False)
class Step:
    """A call that runs on rows.

    Args:
        number: of the call in the program.
        call: it.
        stage: what it needs and makes, in tensor numbers of the plan: 0 is the input.
    """

    number: int
    call: Call
    stage: Stage


@dataclass(frozen=True, eq=False)
class StreamingPlan:
    """What runs when, and where its rows lie.

    Args:
        program: what it is a plan of, its tail in the kernels that take whole tensors.
        steps: in the order they run on each pass.
        rings: of each of the plan's tensors; a pooling's running sums are a ring of one row.
        tail: the calls after the pooling, by number.
        kept: tensors that the tail needs whole.
        obstacle: what makes the net not local, if it is not.
        tail_plan: memory of the tail; scratch by call number.
        tail_offset: where it begins: over the rings, behind them if a tensor is kept whole.
        pad_offset: room for a row of padding.
        scratch_offset: working memory of the kernels.
        state_bytes: all of it, counters included.
        least_frames: the shortest utterance.
        max_frames: the longest whose sums fit.
    """

    program: Program
    steps: tuple[Step, ...]
    rings: tuple[Ring, ...]
    tail: tuple[int, ...]
    kept: tuple[Tensor, ...]
    obstacle: NotLocal | None
    tail_plan: StaticPlan
    tail_offset: int
    pad_offset: int
    scratch_offset: int
    state_bytes: int
    least_frames: int
    max_frames: int

    @property
    def reductions(self) -> list[tuple[Step, ReduceCall]]:
        """The poolings over time."""
        return [(step, step.call) for step in self.steps if isinstance(step.call, ReduceCall)]

    @property
    def most_taps(self) -> int:
        """Rows that the largest stage points to at once."""
        return max(sum(reach.taps for reach in step.stage.needs) for step in self.steps)


def plan_streaming(program: Program) -> StreamingPlan | NotLocal:
    """Plan a program for frames that arrive one by one, or say what prevents it."""
    local = _LocalPart(program)
    problem = local.split()
    if problem is not None:
        return problem
    rings = plan_rings([step.stage for step in local.steps], local.row_bytes)
    if rings is None:
        return NotLocal("the graph", "sees too many frames at once, or joins tensors whose rows seldom agree")
    by_output = {step.stage.output: step for step in local.steps}
    steps = tuple(replace(by_output[stage.output], stage=stage) for stage in rings.stages)
    return _lay_out(_with_whole_tail(program, local.tail), local, steps, rings)


def _with_whole_tail(program: Program, tail: list[int]) -> Program:
    """Use the kernels that take a tensor at once where they can be used."""
    calls = list(program.calls)
    for number in tail:
        call = calls[number]
        calls[number] = call.whole or call if isinstance(call, RowCall) else call
    return replace(program, calls=tuple(calls))


class _LocalPart:
    """Divides a program into the calls that run on rows and those after them.

    Attributes:
        steps: calls on rows, in the program's order.
        tail: numbers of the others.
        row_bytes: bytes from row to row of each tensor on rows.
        kept: tensors on rows that the tail needs whole, by their number.
        obstacle: why it needs the first of them.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers: dict[int, int] = {}
        self._views: dict[int, int] = {}
        self.steps: list[Step] = []
        self.tail: list[int] = []
        self.row_bytes: dict[int, int] = {}
        self.kept: dict[int, Tensor] = {}
        self.obstacle: NotLocal | None = None

    def split(self) -> NotLocal | None:
        """Sort every call; return what makes even the first ones impossible on rows."""
        shapes = [tensor.shape for tensor in self._program.inputs]
        if len(shapes) != 1 or len(shapes[0]) < 3 or shapes[0][0] != 1 or shapes[0][1] < 2:
            return NotLocal("the input", "is not one tensor with a row for each frame")
        self._add_tensor(self._program.inputs[0])
        for number, call in enumerate(self._program.calls):
            if not any(tensor.index in self._numbers for tensor in call.inputs):
                self.tail.append(number)
                continue
            why = self._why_not(call) or self._add(number, call)
            if why:
                self._leave(number, call, why)
        self.tail = sorted(set(self.tail))
        if any(tensor.index in self._numbers for tensor in self._program.outputs):
            return NotLocal("the output", "has a row for each frame")
        return None if self.steps else self.obstacle

    def _leave(self, number: int, call: Call, why: str) -> None:
        """Put a call into the tail, and keep what it reads."""
        kind, name, place = call.operation.kind, call.output.name, call.operation.index
        self.obstacle = self.obstacle or NotLocal(f"{kind} '{name}' (operator {place})", why)
        self.tail.append(number)
        for tensor in call.inputs:
            self._keep(tensor)

    def _keep(self, tensor: Tensor) -> None:
        if tensor.index in self._views:
            self.tail.append(self._views[tensor.index])
            self._keep(self._program.calls[self._views[tensor.index]].inputs[0])
        elif tensor.index in self._numbers:
            self.kept[self._numbers[tensor.index]] = tensor

    def _add_tensor(self, tensor: Tensor) -> None:
        number = len(self.row_bytes)
        self._numbers[tensor.index] = number
        self.row_bytes[number] = _round_up(tensor.row_bytes, _ROW_ALIGNMENT)

    def _add(self, number: int, call: Call) -> str | None:
        """Take a call into the local part; return what prevents it."""
        if isinstance(call, ViewCall):
            self._numbers[call.output.index] = self._numbers[call.inputs[0].index]
            self._views[call.output.index] = number
            return None
        reaches = self._reaches(call)
        if max(len(reaches) + 1, len(self.row_bytes) + 1, *(max(_fields(reach)) for reach in reaches)) > _BYTE:
            return "has a larger window, or comes after more operators, than the streaming engine counts"
        output = len(self.row_bytes)
        if isinstance(call, ReduceCall):
            self.row_bytes[output] = _round_up(call.state_bytes, _ROW_ALIGNMENT)
        else:
            self._add_tensor(call.output)
        self.steps.append(Step(number, call, Stage(output, reaches)))
        return None

    def _reaches(self, call: Call) -> tuple[Reach, ...]:
        """Return the rows that a call's output row needs, of each of its inputs that has rows."""
        if isinstance(call, RowCall) and call.window is not None:
            return (_reach(call, call.window, self._numbers[call.inputs[0].index]),)
        return tuple(Reach(self._numbers[t.index]) for t in call.inputs if t.index in self._numbers)

    def _why_not(self, call: Call) -> str | None:
        """Return why a call cannot run on rows as they come, None when it can."""
        rows = {tensor.num_rows for tensor in call.inputs if tensor.index in self._numbers}
        for position, tensor in enumerate(call.inputs):
            why = self._why_not_input(call, position, tensor)
            if why:
                return why
        if isinstance(call, ReduceCall):
            return None if call.output.num_rows == 1 else "reduces something else than the frames"
        if isinstance(call, ViewCall):
            return None if rows == {call.output.num_rows} else "moves values from frame to frame"
        if isinstance(call, RowCall) and call.window is not None:
            return _why_not_window(call, call.window)
        if isinstance(call, RowCall | ElementCall):
            return None if rows == {call.output.num_rows} else "joins tensors of different numbers of frames"
        return "needs all frames at once"

    def _why_not_input(self, call: Call, position: int, tensor: Tensor) -> str | None:
        fixed = isinstance(call, ElementCall) and position in call.fixed
        if tensor.index in self._numbers:
            return "gives every frame the same of its rows" if fixed else None
        if not tensor.constant:
            return f"needs '{tensor.name}', which is known after the last frame, for every frame"
        return None if fixed else "has a constant that differs from frame to frame"


def _why_not_window(call: RowCall, window: Window) -> str | None:
    """Tell whether the window is one whose padding is known for every length."""
    source, reach = call.inputs[0], _reach(call, window, INPUT)
    rows_in, rows_out = source.num_rows, call.output.num_rows
    if reach.count_out(rows_in) != rows_out or reach.pad_top(rows_in) != window.pad_top:
        return "pads in a way that depends on more than the number of frames"
    if window.pad_value is not None and source.item_bytes != 1 and window.pad_value != 0:
        return "pads wide values with something else than zero"
    return None


def _reach(call: RowCall, window: Window, tensor: int) -> Reach:
    reach = Reach(tensor, window.height, window.stride, window.dilation)
    if call.operation.options.get("padding") == SAME:
        return replace(reach, same=True)
    rows_in, rows_out = call.inputs[0].num_rows, call.output.num_rows
    below = (rows_out - 1) * window.stride + window.span - window.pad_top - rows_in
    return replace(reach, above=window.pad_top, below=max(0, below))


def _fields(reach: Reach) -> tuple[int, ...]:
    return reach.taps, reach.stride, reach.dilation, reach.above, reach.below


def _lay_out(program: Program, local: _LocalPart, steps: tuple[Step, ...], rings: Rings) -> StreamingPlan:
    """Give everything its place in the state: counters, sums, rings and tail, padding, scratch."""
    num_reaches = sum(len(step.stage.needs) for step in steps)
    sums = [step.stage.output for step in steps if isinstance(step.call, ReduceCall)]
    rows = [tensor for tensor in local.row_bytes if tensor not in sums and tensor not in local.kept]
    counters_end = 4 * (COUNTERS_PER_TENSOR * len(local.row_bytes) + num_reaches)
    placed_sums, sums_end = _place(sums, local, rings, aligned(counters_end))
    placed_rows, rows_end = _place(rows, local, rings, aligned(sums_end))
    tail_plan = _plan_tail(program, local)
    tail_offset = aligned(rows_end if local.kept else sums_end)
    whole = {
        number: Ring(tail_offset + tail_plan.offsets[tensor.index], tensor.row_bytes, tensor.num_rows)
        for number, tensor in local.kept.items()
    }
    placed = {**placed_sums, **placed_rows, **whole}
    pad_offset = aligned(max(rows_end, tail_offset + tail_plan.arena_bytes))
    scratch_offset = pad_offset + aligned(max(_padding_bytes(local), default=0))
    scratch = max((step.call.scratch_bytes for step in steps if not isinstance(step.call, ReduceCall)), default=0)
    exported = program.inputs[0].num_rows
    return StreamingPlan(
        program=program,
        steps=steps,
        rings=tuple(placed[tensor] for tensor in sorted(placed)),
        tail=tuple(local.tail),
        kept=tuple(local.kept.values()),
        obstacle=local.obstacle,
        tail_plan=tail_plan,
        tail_offset=tail_offset,
        pad_offset=pad_offset,
        scratch_offset=scratch_offset,
        state_bytes=aligned(scratch_offset + scratch),
        least_frames=exported if local.kept else rings.least_frames,
        max_frames=exported if local.kept else min([MAX_FRAMES, *_limits(steps)]),
    )


def _place(tensors: Sequence[int], local: _LocalPart, rings: Rings, start: int) -> tuple[dict[int, Ring], int]:
    """Put rings one behind the other; return them and where they end."""
    placed, end = {}, start
    for tensor in tensors:
        placed[tensor] = Ring(_round_up(end, 8), local.row_bytes[tensor], rings.rows[tensor])
        end = placed[tensor].offset + placed[tensor].row_bytes * placed[tensor].rows
    return placed, end


def _plan_tail(program: Program, local: _LocalPart) -> StaticPlan:
    """Place the tensors after the pooling; what the poolings give and what is kept is there before the first call."""
    pooled = [step.call.output for step in local.steps if isinstance(step.call, ReduceCall)]
    calls = tuple(program.calls[number] for number in local.tail)
    plan = plan_static(Program((*pooled, *local.kept.values()), program.outputs, calls))
    return replace(plan, scratch={local.tail[place]: offset for place, offset in plan.scratch.items()})


def _padding_bytes(local: _LocalPart) -> Iterator[int]:
    for step in local.steps:
        window = step.call.window if isinstance(step.call, RowCall) else None
        reach = step.stage.inputs[0]
        if window is not None and window.pad_value is not None and (reach.same or reach.above or reach.below):
            yield local.row_bytes[reach.tensor]


def _limits(steps: tuple[Step, ...]) -> Iterator[int]:
    """Yield how many rows each pooling can sum in 32 bits; values lie up to 255 from the zero point."""
    for step in steps:
        if isinstance(step.call, ReduceCall):
            per_row = -(-step.call.inputs[0].row_elements // step.call.output.elements)
            yield ((1 << 31) - 1) // (255 * per_row)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
