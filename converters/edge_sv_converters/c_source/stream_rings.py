"""How many rows of each tensor must be kept when frames are pushed one by one.

Stages (operators on rows) run in a fixed order. A push gives the input one more row, then each stage makes at most one
row, as soon as the rows it needs are there. When the input has ended, further passes run with the padding below the
last row, until each stage has made all its rows. What a pass does depends on row numbers alone, so sizes are found by
counting: every length is played through, from the shortest to where the pattern repeats, and a ring gets as many rows
as were ever needed at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

MAX_TRANSIENT = 2048
"""Frames up to which lengths are played through; what sees more of them at once is for the static plan."""

INPUT = 0
"""The tensor that frames are pushed into."""


@dataclass(frozen=True)
class Reach:
    """Rows of one tensor that a stage's output row needs: row * stride - top + tap * dilation.

    Args:
        tensor: whose rows.
        taps: how many, the kernel's height.
        stride: rows from one output row to the next.
        dilation: rows from one tap to the next.
        same: padded at both ends so that no row is lost, as TensorFlow's SAME; else by `above` and `below`.
        above: rows of padding above the first row.
        below: rows of padding below the last.
    """

    tensor: int
    taps: int = 1
    stride: int = 1
    dilation: int = 1
    same: bool = False
    above: int = 0
    below: int = 0

    @property
    def span(self) -> int:
        """Rows from the first tap to the last, both counted."""
        return (self.taps - 1) * self.dilation + 1

    def rows_out(self, rows_in: Counts) -> Counts:
        """Return how many rows come out of rows_in."""
        if self.same:
            return -(-rows_in // self.stride)
        return np.maximum(0, (rows_in + self.above + self.below - self.span) // self.stride + 1)

    def top(self, rows_in: Counts) -> Counts:
        """Return how many padded rows lie above the first; with SAME and a stride it depends on rows_in."""
        if not self.same:
            return np.full_like(rows_in, self.above)
        missing = (self.rows_out(rows_in) - 1) * self.stride + self.span - rows_in
        return np.asarray(np.maximum(missing, 0) // 2)

    def count_out(self, rows_in: int) -> int:
        """Return how many rows come out of one number of rows."""
        return int(self.rows_out(np.array(rows_in)))

    def pad_top(self, rows_in: int) -> int:
        """Return the padded rows above for one number of rows."""
        return int(self.top(np.array(rows_in)))


@dataclass(frozen=True)
class Stage:
    """One operator: some rows of its inputs in, one row of its output out.

    Args:
        output: the tensor it makes.
        inputs: what each of its rows is made from.
        waits_for: a tensor whose row must be there before this stage makes its own of that number, though it does not
            read it: a shortcut that runs as late as it can keeps fewer rows.
    """

    output: int
    inputs: tuple[Reach, ...]
    waits_for: int | None = None

    @property
    def needs(self) -> tuple[Reach, ...]:
        """Everything that must be there."""
        return self.inputs if self.waits_for is None else (*self.inputs, Reach(self.waits_for))


@dataclass(frozen=True)
class Rings:
    """A schedule and the rows it keeps.

    Args:
        stages: in the order they run.
        rows: kept of each tensor.
        least_frames: the shortest legal input: every tensor has a row, and those that are joined have as many.
    """

    stages: tuple[Stage, ...]
    rows: Mapping[int, int]
    least_frames: int


def plan_rings(stages: Sequence[Stage], row_bytes: Mapping[int, int]) -> Rings | None:
    """Choose the order of stages that keeps the fewest bytes, and count the rows.

    None when there is nothing to play: no short length is legal, or the pattern repeats after too many frames.

    Args:
        stages: in an order in which they can run.
        row_bytes: bytes of one row of each tensor.
    """
    best = count_rows(stages)
    improved = best is not None
    while best is not None and improved:
        improved = False
        for candidate in _later_shortcuts(best):
            rings = count_rows(candidate)
            if rings is not None and _bytes(rings, row_bytes) < _bytes(best, row_bytes):
                best, improved = rings, True
                break
    return best


def count_rows(stages: Sequence[Stage]) -> Rings | None:
    """Play every legal length through and note the most rows that each tensor ever needs at once."""
    longest = _longest_transient(stages)
    if longest > MAX_TRANSIENT:
        return None
    frames = np.arange(1, longest + 1, dtype=np.int64)
    totals = count_totals(stages, frames)
    legal = np.all([rows > 0 for rows in totals.values()], axis=0)
    if not legal.any():
        return None
    played = _Playback(stages, {tensor: rows[legal] for tensor, rows in totals.items()})
    return Rings(tuple(stages), played.run(), int(frames[legal][0]))


def count_totals(stages: Sequence[Stage], frames: Counts) -> dict[int, Counts]:
    """Return how many rows each tensor has in the end, for each number of frames; 0 where its inputs do not agree."""
    totals = {INPUT: frames}
    for stage in stages:
        rows = [reach.rows_out(totals[reach.tensor]) for reach in stage.inputs]
        totals[stage.output] = np.where(np.all(rows == rows[0], axis=0), rows[0], 0)
    return totals


class _Playback:
    """Runs a schedule on row numbers, for many lengths at once.

    Args:
        stages: in the order they run.
        totals: rows of each tensor in the end, (num_lengths,).
    """

    def __init__(self, stages: Sequence[Stage], totals: Mapping[int, Counts]) -> None:
        self._stages, self._totals = stages, totals
        self._tops = {stage.output: [w.top(totals[w.tensor]) for w in stage.needs] for stage in stages}
        self._made = {tensor: np.zeros_like(rows) for tensor, rows in totals.items()}
        self._kept = dict.fromkeys(totals, 1)
        self._readers: dict[int, list[tuple[int, int, Counts]]] = {tensor: [] for tensor in totals}
        for stage in stages:
            for reach, top in zip(stage.inputs, self._tops[stage.output], strict=False):
                self._readers[reach.tensor].append((stage.output, reach.stride, top))

    def run(self) -> dict[int, int]:
        """Return the rows that each tensor's ring needs."""
        frames = self._totals[INPUT]
        passes = 0
        while any((self._made[tensor] < rows).any() for tensor, rows in self._totals.items()):
            passes += 1
            self._make(INPUT, passes <= frames)
            for stage in self._stages:
                self._make(stage.output, self._ready(stage, ended=passes > frames))
        return self._kept

    def _ready(self, stage: Stage, *, ended: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Tell for each length whether the stage can make its next row."""
        ready = self._made[stage.output] < self._totals[stage.output]
        for reach, top in zip(stage.needs, self._tops[stage.output], strict=True):
            last = self._made[stage.output] * reach.stride - top + reach.span - 1
            below_end = np.minimum(last, self._totals[reach.tensor] - 1)
            ready &= np.where(ended, below_end, last) < self._made[reach.tensor]
        return ready

    def _make(self, tensor: int, ready: npt.NDArray[np.bool_]) -> None:
        """Add a row where it is ready; it must not overwrite one that is still needed."""
        oldest = self._made[tensor]
        for output, stride, top in self._readers[tensor]:
            oldest = np.minimum(oldest, self._made[output] * stride - top)
        needed = (self._made[tensor] - np.maximum(oldest, 0) + 1)[ready]
        self._kept[tensor] = max(self._kept[tensor], int(needed.max(initial=1)))
        self._made[tensor] = self._made[tensor] + ready


def _later_shortcuts(rings: Rings) -> list[list[Stage]]:
    """List schedules in which a stage that keeps several rows waits for the other input of its only reader."""
    found, stages = [], rings.stages
    for stage in stages:
        readers = [other for other in stages if stage.output in [reach.tensor for reach in other.needs]]
        joined = len(readers) == 1 and all(reach.stride == 1 for reach in readers[0].inputs)
        if not joined or stage.waits_for is not None or rings.rows[stage.output] == 1:
            continue
        rest = [other for other in stages if other is not stage]
        for place, other in enumerate(rest):
            if other.output in [reach.tensor for reach in readers[0].needs]:
                late = max(place + 1, stages.index(stage))
                found.append([*rest[:late], replace(stage, waits_for=other.output), *rest[late:]])
    return found


def _longest_transient(stages: Sequence[Stage]) -> int:
    """Return a length beyond which nothing new happens: all that a row sees and waits for, and two periods."""
    step, sees = {INPUT: 1}, {INPUT: 1}
    for stage in stages:
        behind = [sees[r.tensor] + (r.span - 1 + r.above + r.below) * step[r.tensor] for r in stage.inputs]
        sees[stage.output] = max(behind)
        step[stage.output] = max(step[r.tensor] * r.stride for r in stage.inputs)
    return max(sees.values()) + 2 * math.lcm(*step.values())


def _bytes(rings: Rings, row_bytes: Mapping[int, int]) -> int:
    return sum(rows * row_bytes[tensor] for tensor, rows in rings.rows.items())
