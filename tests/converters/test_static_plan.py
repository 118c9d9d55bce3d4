"""The static plan, played through on tagged memory: nothing is overwritten before its last reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from edge_sv_converters.c_source.calls import Call, ElementCall, Program, ReduceCall, RowCall, ViewCall, WholeCall
from edge_sv_converters.c_source.emit import whole_tensors
from edge_sv_converters.c_source.graph import Tensor, read_graph
from edge_sv_converters.c_source.operators.table import lower_graph
from edge_sv_converters.c_source.plan import ALIGNMENT, StaticPlan, padding_row_bytes, plan_apart, plan_static
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.system.bundled import assets_dir
from tests.random_nets import random_net

NETS = ["resnet-nano", "resnet-thin", "ecapa-small"]


class Memory:
    """An arena that knows which tensor's which byte lies where."""

    def __init__(self, plan: StaticPlan) -> None:
        self._plan = plan
        self._tags: npt.NDArray[np.int64] = np.full(plan.arena_bytes, -1, np.int64)

    def write(self, tensor: Tensor, first: int, count: int) -> None:
        start = self._plan.offsets[tensor.index] + first
        assert start >= 0 and start + count <= len(self._tags)
        self._tags[start : start + count] = self._tag(tensor, first, count)

    def read(self, tensor: Tensor, first: int, count: int) -> None:
        if tensor.constant:
            return
        start = self._plan.offsets[tensor.index] + first
        wanted = self._tag(tensor, first, count)
        assert np.array_equal(self._tags[start : start + count], wanted), f"{tensor.name} was overwritten"

    def scribble(self, start: int, count: int) -> None:
        assert start + count <= len(self._tags)
        self._tags[start : start + count] = -1

    def rename(self, source: Tensor, view: Tensor) -> None:
        self.read(source, 0, source.num_bytes)
        assert source.constant or self._plan.offsets[view.index] == self._plan.offsets[source.index]
        self.write(view, 0, view.num_bytes)

    @staticmethod
    def _tag(tensor: Tensor, first: int, count: int) -> npt.NDArray[np.int64]:
        return tensor.index * (1 << 40) + np.arange(first, first + count)


def play(program: Program, plan: StaticPlan) -> None:
    """Run a program on tags: every read finds what it wants, through to the outputs."""
    memory = Memory(plan)
    for tensor in program.inputs:
        memory.write(tensor, 0, tensor.num_bytes)
    renamed: dict[int, Tensor] = {}
    for number, call in enumerate(program.calls):
        inputs = [renamed.get(tensor.index, tensor) for tensor in call.inputs]
        if number in plan.scratch:
            memory.scribble(plan.scratch[number], call.scratch_bytes + padding_row_bytes(call))
        if isinstance(call, ViewCall):
            memory.rename(inputs[0], call.output)
            renamed[call.inputs[0].index] = call.output
        else:
            _play_kernel(call, inputs, memory)
    for tensor in program.outputs:
        memory.read(renamed.get(tensor.index, tensor), 0, tensor.num_bytes)


def _play_kernel(call: Call, inputs: list[Tensor], memory: Memory) -> None:
    output = call.output
    if isinstance(call, RowCall):
        _play_rows(call, inputs, memory)
    elif isinstance(call, ElementCall):
        step = output.row_bytes if call.fixed else output.item_bytes * 16
        for first in range(0, output.num_bytes, step):
            count = min(step, output.num_bytes - first)
            for position, tensor in enumerate(inputs):
                if position in call.fixed:
                    memory.read(tensor, 0, tensor.num_bytes)
                else:
                    scale = tensor.item_bytes / output.item_bytes
                    memory.read(tensor, int(first * scale), int(count * scale))
            memory.write(output, first, count)
    else:
        assert isinstance(call, ReduceCall | WholeCall)
        for tensor in inputs:
            memory.read(tensor, 0, tensor.num_bytes)
        memory.write(output, 0, output.num_bytes)


def _play_rows(call: RowCall, inputs: list[Tensor], memory: Memory) -> None:
    """Each kernel reads its rows, writes, and reads them once more: it may do so until it returns."""
    for row in range(call.output.num_rows):
        for turn in ("before", "after"):
            for tensor in inputs:
                for at in _rows(call, tensor, row):
                    memory.read(tensor, at * tensor.row_bytes, tensor.row_bytes)
            if turn == "before":
                memory.write(call.output, row * call.output.row_bytes, call.output.row_bytes)


def _rows(call: RowCall, tensor: Tensor, row: int) -> list[int]:
    window = call.window
    if window is None:
        return [row]
    taps = [row * window.stride - window.pad_top + tap * window.dilation for tap in range(window.height)]
    return [at for at in taps if 0 <= at < tensor.num_rows]


def _program(model: bytes) -> Program:
    return lower_graph(read_graph(model))


def _asset(name: str) -> Program:
    return _program((Path(assets_dir()) / name / "static_wi8_ai8" / "model.tflite").read_bytes())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), whole=st.booleans())
def test_random_nets_overwrite_nothing_too_early(seed: int, whole: bool) -> None:
    program = _program(random_net(seed))
    program = whole_tensors(program) if whole else program
    plan = plan_static(program)
    play(program, plan)
    assert all(offset % ALIGNMENT == 0 for offset in (*plan.offsets.values(), *plan.scratch.values()))
    assert plan.arena_bytes <= plan_apart(program).arena_bytes


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("whole", [False, True])
def test_bundled_nets_overwrite_nothing_too_early(name: str, whole: bool) -> None:
    program = whole_tensors(_asset(name)) if whole else _asset(name)
    play(program, plan_static(program))


def test_the_player_notices_a_plan_that_is_too_tight() -> None:
    program = _asset("resnet-nano")
    plan = plan_static(program)
    everything_at_once = dict.fromkeys(plan.offsets, 0)
    with pytest.raises(AssertionError, match="overwritten"):
        play(program, StaticPlan(plan.arena_bytes, everything_at_once, plan.scratch))


def test_an_output_runs_into_the_memory_of_its_input() -> None:
    """A convolution in a chain needs its larger side and a few rows, not both sides."""
    program = _asset("resnet-thin")
    largest = max(call.output.num_bytes for call in program.calls)
    assert plan_static(program).arena_bytes < 1.1 * largest


def test_ecapa_fits_a_small_part() -> None:
    """TensorFlow Lite Micro needs 346 KB for a net of this kind."""
    assert plan_static(whole_tensors(_asset("ecapa-small"))).arena_bytes <= 96 * 1024
