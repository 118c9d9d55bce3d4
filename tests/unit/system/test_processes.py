"""Worker processes: results in order, errors passed on, nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing
from functools import partial

import pytest

from edge_sv.errors import DataError, EdgeSvError
from edge_sv.system.processes import map_in_processes

_shared = 0


def remember(value: int) -> None:
    global _shared
    _shared = value


def add(task: int) -> tuple[int, int]:
    return task + _shared, os.getpid()


def fail_at_three(task: int) -> int:
    if task == 3:
        raise DataError("three.wav is empty", details={"got": "0 bytes"}, hint="record it again")
    return task


def die_at_three(task: int) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def interrupt_itself(task: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return task


def nothing() -> None:
    pass


@pytest.fixture(autouse=True)
def nobody_is_left() -> object:
    yield
    assert multiprocessing.active_children() == []


def test_results_come_in_order_from_other_processes() -> None:
    results = list(map_in_processes(add, range(40), jobs=2, start=partial(remember, 100)))
    assert [value for value, _ in results] == list(range(100, 140))
    pids = {pid for _, pid in results}
    assert os.getpid() not in pids and len(pids) <= 2
    assert _shared == 0


def test_errors_keep_their_words() -> None:
    arriving = map_in_processes(fail_at_three, range(9), jobs=2, start=nothing)
    assert [next(arriving) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"three\.wav is empty") as caught:
        next(arriving)
    assert caught.value.details == {"got": "0 bytes"} and caught.value.hint == "record it again"


def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(EdgeSvError, match="a worker process died"):
        list(map_in_processes(die_at_three, range(9), jobs=1, start=nothing))


def test_workers_do_not_see_ctrl_c() -> None:
    assert list(map_in_processes(interrupt_itself, range(4), jobs=1, start=nothing)) == [0, 1, 2, 3]


def test_closing_early_ends_the_workers() -> None:
    with closing(map_in_processes(add, range(10_000), jobs=2, start=nothing)) as arriving:
        assert next(arriving)[0] == 0
