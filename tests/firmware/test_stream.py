"""The streaming engine and its planner: whatever the graph of row operators and the length, every stage is handed
exactly the rows that the whole-utterance graph would hand it.

Rows hold their own number, so a row that a ring overwrote too early, or too late, is seen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from edge_sv_converters.c_source.stream_rings import INPUT, Reach, Rings, Stage, count_totals, plan_rings
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.conftest import COMMON, WARNINGS, run, tool

OK, SHAPE = 0, -6
SAME, FILL = 1, 2
ROW_BYTES = 4
MAX_FRAMES = 1000
PADDING = -7
ROWS = ctypes.POINTER(ctypes.POINTER(ctypes.c_int8))
RUN = ctypes.CFUNCTYPE(None, ROWS, ctypes.POINTER(ctypes.c_int8), ctypes.c_void_p)


@pytest.fixture(scope="module")
def stream_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The engine alone, compiled for this computer."""
    library = tmp_path_factory.mktemp("stream") / "stream.so"
    flags = ["-std=c99", "-O1", "-fPIC", "-shared", *WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    run([tool("gcc"), *flags, "-I", COMMON / "include", COMMON / "src" / "esv_stream.c", "-o", library])
    return ctypes.CDLL(str(library))


class ReachStruct(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint8) for name in ("tensor", "taps", "stride", "dilation", "above", "below", "flags")
    ] + [("pad_value", ctypes.c_int8)]


class RingStruct(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("offset", "row_bytes", "rows")]


class StageStruct(ctypes.Structure):
    _fields_ = [("run", RUN), ("num_inputs", ctypes.c_uint8), ("output", ctypes.c_uint8)]


class StreamStruct(ctypes.Structure):
    _fields_ = [
        ("rings", ctypes.POINTER(RingStruct)),
        ("stages", ctypes.POINTER(StageStruct)),
        ("reaches", ctypes.POINTER(ReachStruct)),
        ("num_tensors", ctypes.c_uint8),
        ("num_stages", ctypes.c_uint8),
        ("num_reaches", ctypes.c_uint16),
        ("frame_bytes", ctypes.c_uint32),
        ("min_frames", ctypes.c_uint32),
        ("max_frames", ctypes.c_uint32),
        ("pad_offset", ctypes.c_uint32),
        ("scratch_offset", ctypes.c_uint32),
    ]


class Engine:
    """The C engine on a plan, with stages that look at the numbers of the rows they are handed."""

    def __init__(self, library: ctypes.CDLL, plan: Rings) -> None:
        self._library, self.plan = library, plan
        self.problems: list[str] = []
        self.made: dict[int, int] = {}
        self.frames = 0
        reaches = [reach for stage in plan.stages for reach in stage.needs]
        counters = 4 * (3 * len(plan.rows) + len(reaches))
        rings, end = [], counters
        for tensor in range(len(plan.rows)):
            rings.append(RingStruct(end, ROW_BYTES, plan.rows[tensor]))
            end += ROW_BYTES * plan.rows[tensor]
        self._stages = (StageStruct * len(plan.stages))(
            *[StageStruct(RUN(self._run(stage)), len(stage.needs), stage.output) for stage in plan.stages]
        )
        self._reaches = (ReachStruct * len(reaches))(*[_struct(reach) for reach in reaches])
        self._rings = (RingStruct * len(rings))(*rings)
        counts = len(rings), len(plan.stages), len(reaches), ROW_BYTES, 1, MAX_FRAMES
        tables = self._rings, self._stages, self._reaches
        self._stream = StreamStruct(*tables, *counts, end, end + ROW_BYTES)
        self._state = np.full(end // 4 + 2, 0x5A5A5A5A, np.uint32)
        taps = max(sum(reach.taps for reach in stage.needs) for stage in plan.stages)
        self._rows = (ctypes.POINTER(ctypes.c_int8) * taps)()

    def begin(self, frames: int) -> int:
        self.made = dict.fromkeys(self.plan.rows, 0)
        self.frames = 0
        return int(self._library.esv_stream_begin(*self._arguments(), ctypes.c_uint32(frames)))

    def push(self) -> int:
        frame = np.array([self.frames], np.int32)
        status = self._library.esv_stream_push(*self._arguments(), ctypes.c_void_p(frame.ctypes.data), self._rows)
        self.frames += status == OK
        return int(status)

    def finish(self) -> int:
        return int(self._library.esv_stream_finish(*self._arguments(), self._rows))

    def _arguments(self) -> tuple[object, ctypes.c_void_p]:
        return ctypes.byref(self._stream), ctypes.c_void_p(self._state.ctypes.data)

    def _run(self, stage: Stage) -> Callable[[object, object, object], None]:
        """Make what looks at the rows of one stage; a tap's row is right when it has the number that it should."""

        def run(rows: ctypes.Array, out: object, scratch: object) -> None:
            row, tap = self.made[stage.output], 0
            for reach in stage.inputs:
                top = reach.pad_top(self._length(reach.tensor))
                for k in range(reach.taps):
                    wanted = row * reach.stride - top + k * reach.dilation
                    got = ctypes.cast(rows[tap], ctypes.POINTER(ctypes.c_int32)).contents.value
                    inside = 0 <= wanted < self._length(reach.tensor)
                    if got != (wanted if inside else int.from_bytes([PADDING & 255] * 4, "little", signed=True)):
                        self.problems.append(f"row {row} of {stage.output}: tap {k} is {got}, not {wanted}")
                    tap += 1
            ctypes.cast(out, ctypes.POINTER(ctypes.c_int32)).contents.value = row
            self.made[stage.output] += 1

        return run

    def _length(self, tensor: int) -> int:
        return int(self.totals[tensor])

    def expect(self, frames: int) -> None:
        """Say how long the utterance is going to be."""
        totals = count_totals(self.plan.stages, np.array([frames]))
        self.totals: Mapping[int, int] = {tensor: int(rows[0]) for tensor, rows in totals.items()}


def _struct(reach: Reach) -> ReachStruct:
    flags = FILL | (SAME if reach.same else 0)
    return ReachStruct(reach.tensor, reach.taps, reach.stride, reach.dilation, reach.above, reach.below, flags, PADDING)


@st.composite
def graphs(draw: st.DrawFn) -> list[Stage]:
    """Draw chains of convolutions, pools and residual blocks."""
    stages: list[Stage] = []

    def add(*inputs: Reach) -> int:
        stages.append(Stage(len(stages) + 1, inputs))
        return len(stages)

    current = INPUT
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            reach = Reach(
                current, draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.booleans())
            )
            if not reach.same:
                reach = Reach(*_dataclass_values(reach)[:5], draw(st.integers(0, 3)), draw(st.integers(0, 3)))
            current = add(reach)
        else:
            path = shortcut = current
            for _ in range(draw(st.integers(0, 3))):
                path = add(Reach(path, draw(st.integers(1, 5)), 1, draw(st.integers(1, 3)), same=True))
            for _ in range(draw(st.integers(0, 2))):
                shortcut = add(Reach(shortcut, draw(st.sampled_from([1, 1, 3])), same=True))
            current = add(Reach(shortcut), Reach(path))
    add(Reach(current))
    return stages


def _dataclass_values(reach: Reach) -> tuple[object, ...]:
    return tuple(vars(reach).values())


def _plan(stages: Sequence[Stage]) -> Rings:
    plan = plan_rings(stages, dict.fromkeys(range(len(stages) + 1), ROW_BYTES))
    assert plan is not None
    return plan


@settings(max_examples=60, deadline=None)
@given(stages=graphs(), data=st.data())
def test_every_stage_sees_the_rows_of_the_whole_graph(
    stream_library: ctypes.CDLL, stages: list[Stage], data: st.DataObject
) -> None:
    plan = _plan(stages)
    engine = Engine(stream_library, plan)
    for _ in range(3):
        frames = data.draw(st.integers(plan.least_frames, plan.least_frames + 60))
        engine.expect(frames)
        assert engine.begin(frames) == OK
        assert [engine.push() for _ in range(frames)] == [OK] * frames
        assert engine.finish() == OK
        assert engine.problems == []
        assert {**engine.made, INPUT: frames} == dict(engine.totals)


def test_a_long_utterance_keeps_no_more_rows(stream_library: ctypes.CDLL) -> None:
    stages = [
        Stage(1, (Reach(0, 5, 2, same=True),)),
        Stage(2, (Reach(1, 3, same=True),)),
        Stage(3, (Reach(2, 3, same=True),)),
        Stage(4, (Reach(1),)),
        Stage(5, (Reach(4), Reach(3))),
        Stage(6, (Reach(5, 2, 2),)),
    ]
    plan = _plan(stages)
    assert dict(plan.rows) == {0: 5, 1: 3, 2: 3, 3: 1, 4: 1, 5: 2, 6: 1}
    engine = Engine(stream_library, plan)
    engine.expect(MAX_FRAMES)
    assert engine.begin(MAX_FRAMES) == OK
    assert all(engine.push() == OK for _ in range(MAX_FRAMES))
    assert engine.push() == SHAPE
    assert engine.finish() == OK
    assert engine.problems == []


def test_rows_wait_while_padding_above_them_is_made(stream_library: ctypes.CDLL) -> None:
    plan = _plan([Stage(1, (Reach(0),)), Stage(2, (Reach(1, above=3, below=3),)), Stage(3, (Reach(2),))])
    assert dict(plan.rows) == {0: 1, 1: 4, 2: 1, 3: 1}
    engine = Engine(stream_library, plan)
    engine.expect(20)
    assert engine.begin(20) == OK
    assert [engine.push() for _ in range(20)] == [OK] * 20
    assert engine.finish() == OK
    assert engine.problems == []


def test_lengths_that_the_padding_was_not_begun_for_are_refused(stream_library: ctypes.CDLL) -> None:
    engine = Engine(stream_library, _plan([Stage(1, (Reach(0, 3, 2, same=True),))]))
    for begun, pushed, status in [(8, 8, OK), (8, 6, OK), (8, 7, SHAPE), (7, 7, OK), (7, 9, OK), (7, 8, SHAPE)]:
        engine.expect(pushed)
        assert engine.begin(begun) == OK
        assert all(engine.push() == OK for _ in range(pushed))
        assert engine.finish() == status, (begun, pushed)


def test_an_utterance_may_go_on_after_a_finish_that_was_refused(stream_library: ctypes.CDLL) -> None:
    engine = Engine(stream_library, _plan([Stage(1, (Reach(0, 3, 2, same=True),))]))
    engine.expect(8)
    engine.begin(8)
    assert [engine.push() for _ in range(7)] == [OK] * 7
    assert engine.finish() == SHAPE
    assert engine.push() == OK
    assert engine.finish() == OK
    assert engine.problems == []


def test_too_few_frames_are_refused(stream_library: ctypes.CDLL) -> None:
    plan = _plan([Stage(1, (Reach(0, 4, 2),))])
    engine = Engine(stream_library, plan)
    assert plan.least_frames == 4
    assert engine.begin(3) == SHAPE
    assert engine.push() == SHAPE
    engine.expect(4)
    assert engine.begin(4) == OK
    assert [engine.push() for _ in range(3)] == [OK] * 3
    assert engine.finish() == SHAPE


def test_joined_tensors_must_have_as_many_rows(stream_library: ctypes.CDLL) -> None:
    halves = [Stage(1, (Reach(0, 2, 2),)), Stage(2, (Reach(0, 1, 2, same=True),)), Stage(3, (Reach(1), Reach(2)))]
    engine = Engine(stream_library, _plan(halves))
    assert [engine.begin(frames) for frames in (1, 2, 3, 4, 5)] == [SHAPE, OK, SHAPE, OK, SHAPE]
    assert plan_rings([Stage(1, (Reach(0, 3),)), Stage(2, (Reach(0), Reach(1)))], {0: 4, 1: 4, 2: 4}) is None
