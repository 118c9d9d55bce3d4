"""Progress of a stage's steps: one bar on stderr for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_sv.cli.output import progress_bar
from edge_sv.system.progress import Progress, Steps


@contextmanager
def show_steps() -> Iterator[Steps]:
    """Yield a reporter that draws a bar for each step, silent when stderr is not a terminal."""
    with progress_bar() as bar:

        def start(label: str) -> Progress:
            task = bar.add_task(label, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield start
