"""The streaming plan: whether a net is local in time up to its pooling, and what a device then keeps of each tensor.

Local operators (convolutions, pools along time, elementwise ones) make a row from a few rows of their inputs; they
become stages that run as frames arrive. A pooling reduces all rows of a tensor to one; what follows it is computed
once, after the last frame. An operator that needs all rows before it can begin makes the net not local.
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
    """Why a net cannot be streamed: the first operator that stands in the way."""

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
        steps: in the order they run on each pass.
        rings: of each of the plan's tensors; a pooling's running sums are a ring of one row.
        tail: the calls after the pooling, by number.
        tail_plan: their memory, laid over the rings; scratch by call number.
        tail_offset: where it begins.
        pad_offset: room for a row of padding.
        scratch_offset: working memory of the kernels.
        state_bytes: all of it, counters included.
        least_frames: the shortest utterance.
        max_frames: the longest whose sums fit.
    """

    steps: tuple[Step, ...]
    rings: tuple[Ring, ...]
    tail: tuple[int, ...]
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
    obstacle = local.split()
    if obstacle is not None:
        return obstacle
    rings = plan_rings([step.stage for step in local.steps], local.row_bytes)
    if rings is None:
        return NotLocal("the graph", "sees too many frames at once, or joins tensors whose rows seldom agree")
    by_output = {step.stage.output: step for step in local.steps}
    steps = tuple(replace(by_output[stage.output], stage=stage) for stage in rings.stages)
    return _lay_out(program, local, steps, rings)


class _LocalPart:
    """Divides a program into the calls that run on rows and those after the pooling.

    Attributes:
        steps: calls on rows, in the program's order.
        tail: numbers of the others.
        row_bytes: bytes from row to row of each tensor on rows.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers: dict[int, int] = {}
        self.steps: list[Step] = []
        self.tail: list[int] = []
        self.row_bytes: dict[int, int] = {}

    def split(self) -> NotLocal | None:
        """Sort every call; return the first obstacle."""
        if len(self._program.inputs) != 1 or self._program.inputs[0].num_rows < 2:
            return NotLocal("the input", "is not one tensor with a row for each frame")
        self._add_tensor(self._program.inputs[0])
        for number, call in enumerate(self._program.calls):
            if not any(tensor.index in self._numbers for tensor in call.inputs):
                self.tail.append(number)
                continue
            why = self._why_not(call) or self._add(number, call)
            if why:
                return NotLocal(f"{call.operation.kind} '{call.output.name}' (operator {call.operation.index})", why)
        if any(tensor.index in self._numbers for tensor in self._program.outputs):
            return NotLocal("the output", "has a row for each frame")
        return None

    def _add_tensor(self, tensor: Tensor) -> None:
        number = len(self.row_bytes)
        self._numbers[tensor.index] = number
        self.row_bytes[number] = _round_up(tensor.row_bytes, _ROW_ALIGNMENT)

    def _add(self, number: int, call: Call) -> str | None:
        """Take a call into the local part; return what prevents it."""
        if isinstance(call, ViewCall):
            self._numbers[call.output.index] = self._numbers[call.inputs[0].index]
            return None
        reaches = self._reaches(call)
        if any(value > _BYTE for reach in reaches for value in _fields(reach)) or len(self.row_bytes) > _BYTE:
            return "has a window, or comes after more operators, than the streaming engine counts"
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
        if len(tensor.shape) > 2 and tensor.shape[0] != 1 and tensor.index in self._numbers:
            return "has a batch of several utterances"
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
    """Give everything its place in the state: counters, sums, rings (later the tail), padding, scratch."""
    num_reaches = sum(len(step.stage.needs) for step in steps)
    sums = [step.stage.output for step in steps if isinstance(step.call, ReduceCall)]
    rows = [tensor for tensor in local.row_bytes if tensor not in sums]
    counters_end = 4 * (COUNTERS_PER_TENSOR * len(local.row_bytes) + num_reaches)
    placed_sums, sums_end = _place(sums, local, rings, aligned(counters_end))
    placed_rows, rows_end = _place(rows, local, rings, aligned(sums_end))
    tail_plan = _plan_tail(program, local)
    pad_offset = aligned(max(rows_end, aligned(sums_end) + tail_plan.arena_bytes))
    scratch_offset = pad_offset + aligned(max(_padding_bytes(local), default=0))
    scratch = max((step.call.scratch_bytes for step in steps if not isinstance(step.call, ReduceCall)), default=0)
    placed = {**placed_sums, **placed_rows}
    return StreamingPlan(
        steps=steps,
        rings=tuple(placed[tensor] for tensor in sorted(placed)),
        tail=tuple(local.tail),
        tail_plan=tail_plan,
        tail_offset=aligned(sums_end),
        pad_offset=pad_offset,
        scratch_offset=scratch_offset,
        state_bytes=aligned(scratch_offset + scratch),
        least_frames=rings.least_frames,
        max_frames=min([MAX_FRAMES, *_limits(steps)]),
    )


def _place(tensors: Sequence[int], local: _LocalPart, rings: Rings, start: int) -> tuple[dict[int, Ring], int]:
    """Put rings one behind the other; return them and where they end."""
    placed, end = {}, start
    for tensor in tensors:
        placed[tensor] = Ring(_round_up(end, 8), local.row_bytes[tensor], rings.rows[tensor])
        end = placed[tensor].offset + placed[tensor].row_bytes * placed[tensor].rows
    return placed, end


def _plan_tail(program: Program, local: _LocalPart) -> StaticPlan:
    """Place the tensors after the pooling; what the poolings give is there before the first call."""
    pooled = tuple(step.call.output for step in local.steps if isinstance(step.call, ReduceCall))
    calls = tuple(program.calls[number] for number in local.tail)
    plan = plan_static(Program(pooled, program.outputs, calls))
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
