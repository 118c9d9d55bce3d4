"""A stage of the pipeline as one value, and the two things that are done with a list of them: run it, or look it up.

Every stage's result goes into the stage cache under a key of all that it depends on: its inputs, the sources of the
code that makes it, and the versions of the libraries that compute in it. The next stage gets the result as its input.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from edge_sv.system.code_version import code_sha256, library_versions
from edge_sv.system.stage_cache import StageCache

Before = TypeVar("Before")
After = TypeVar("After")


@dataclass(frozen=True)
class Given(Generic[After]):
    """A result that need not be made, and why, for people."""

    value: After
    note: str


def _nothing(_before: Any) -> None:
    return None


@dataclass(frozen=True)
class Stage(Generic[Before, After]):
    """A step from one value to the next.

    Args:
        name: for people, and of its folder in the cache.
        intent: what it would do, in words.
        code: modules that compute the result; what they import counts with them.
        libraries: distributions that compute in it.
        inputs: everything else that the result depends on, JSON values.
        make: writes the result into a folder. The third argument is a folder for what is finished on the way; it
            belongs to this very key and stays after an interruption.
        read: reads the result back. A kept result that it refuses with a DataError (damaged) is made again.
        note: says what was done.
        given: returns the result where it came along with the input; None: it has to be made.
        place: puts the result where the caller wants it; returns it as it lies there, and whether anything changed.
    """

    name: str
    intent: str
    code: tuple[str, ...]
    libraries: tuple[str, ...]
    inputs: Callable[[Before], Any]
    make: Callable[[Before, Path, Path], None]
    read: Callable[[Before, Path], After]
    note: Callable[[After], str]
    given: Callable[[Before], Given[After] | None] = _nothing
    place: Callable[[After], tuple[After, bool]] | None = None

    def key(self, before: Before) -> list[Any]:
        """Return everything that the result depends on, JSON values."""
        return [code_sha256(*self.code), library_versions(*self.libraries), self.inputs(before)]

    def run(self, before: Before, cache: StageCache) -> tuple[After, bool, str]:
        """Return the result, whether it was there already, and a note."""
        given = self.given(before)
        if given is not None:
            after, kept = given.value, True
        else:
            key = self.key(before)
            scratch = cache.folder(self.name, key).with_suffix(".run")
            after, kept = cache.run(
                self.name,
                key,
                make=lambda folder: self.make(before, folder, scratch),
                read=lambda folder: self.read(before, folder),
            )
        if self.place is not None:
            after, moved = self.place(after)
            kept = kept and not moved
        return after, kept, given.note if given is not None else self.note(after)

    def find(self, before: Before, cache: StageCache) -> After | None:
        """Return the result where it came along or is kept, None when it has to be made; nothing is run."""
        given = self.given(before)
        if given is not None:
            return given.value
        return cache.find(self.name, self.key(before), read=lambda folder: self.read(before, folder))


AnyStage = Stage[Any, Any]


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage.

    Args:
        name: the stage's.
        status: `done`, or `unchanged` when its result was there; of a dry run `needed` or `unchanged`.
        note: what was done, or where the result comes from.
        seconds: wall time.
    """

    name: str
    status: Literal["done", "unchanged", "needed"]
    note: str
    seconds: float = 0.0


OnStage = Callable[[StageOutcome], None]


def run_stages(
    stages: Sequence[AnyStage], start: Any, cache: StageCache, *, on_stage: OnStage | None = None
) -> tuple[list[Any], list[StageOutcome]]:
    """Run stages one after the other; return the result and the outcome of each.

    Args:
        stages: in order.
        start: the first one's input.
        cache: finished stages.
        on_stage: called after each.
    """
    results: list[Any] = []
    outcomes: list[StageOutcome] = []
    for stage in stages:
        began = time.perf_counter()
        start, kept, note = stage.run(start, cache)
        seconds = round(time.perf_counter() - began, 3)
        results.append(start)
        outcomes.append(StageOutcome(stage.name, "unchanged" if kept else "done", note, seconds))
        if on_stage:
            on_stage(outcomes[-1])
    return results, outcomes


def find_stages(
    stages: Sequence[AnyStage], start: Any, cache: StageCache
) -> tuple[list[Any | None], list[StageOutcome]]:
    """Look up what is there of each stage, without running one; what follows a missing result is missing, too."""
    results: list[Any | None] = []
    outcomes: list[StageOutcome] = []
    for stage in stages:
        start = None if results and results[-1] is None else stage.find(start, cache)
        results.append(start)
        outcomes.append(StageOutcome(stage.name, "needed" if start is None else "unchanged", stage.intent))
    return results, outcomes
