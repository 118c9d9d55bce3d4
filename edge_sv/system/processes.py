"""Work for several processor cores: fresh processes that do not see Ctrl-C and never outlive their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from typing import TypeVar

from edge_sv.errors import EdgeSvError

Task = TypeVar("Task")
Result = TypeVar("Result")

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that say how many threads a matrix product may use; the libraries read them when they are loaded."""


def map_in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, jobs: int, start: Callable[[], None]
) -> Generator[Result, None, None]:
    """Yield function(task) for every task, in their order, computed by worker processes.

    The processes start afresh, because TensorFlow does not survive a fork. They are gone when the iterator ends or is
    closed, by an error or Ctrl-C too, and when this process is killed.

    Args:
        function: importable by its name, as are tasks and results.
        tasks: what to work on.
        jobs: worker processes.
        start: called first in every process; holds what all tasks share.

    Raises:
        EdgeSvError: a worker process died; also whatever the function raises.
    """
    try:
        with ExitStack() as end:
            with _sigint_blocked(), _one_thread_each():
                pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (start,))
                end.callback(pool.shutdown, cancel_futures=True)
                pending = deque(pool.submit(function, task) for task in tasks)
            while pending:
                yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise EdgeSvError("a worker process died", hint="memory may be short: try fewer with --jobs 1") from error


def _start(start: Callable[[], None]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start in the block compute matrix products on one thread.

    BLAS starts as many threads as there are cores, in every process; they wait for each other by spinning, which made
    the front end some seventy times slower. A child could not set the variables for itself.
    """
    before = {name: os.environ.get(name) for name in BLAS_THREADS}
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Let processes that start in the block never see Ctrl-C, which is this process's to handle.

    A child inherits the blocked signal before its first instruction; a handler set by the child would come too late for
    an interrupt during its imports. The resource tracker comes first because its start unblocks the signal. This
    process's own interrupt waits for the end of the block, so that no child is left half started.
    """
    resource_tracker.ensure_running()
    with _interrupt_later():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupt_later() -> Iterator[None]:
    """Let Ctrl-C take effect at the end of the block; a blocked signal alone would reach us by another thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda *what: seen.append(what[0]))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if seen:
            signal.raise_signal(signal.SIGINT)
