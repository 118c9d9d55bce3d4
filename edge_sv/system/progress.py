"""How long work reports what it has done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with what is done and all that there is to do."""
Steps = Callable[[str], Progress]
"""Given what is being done, returns a function to report its progress with."""


def report_progress(progress: Progress | None, done: int, total: int) -> None:
    """Report to whoever wants to know; None: nobody does."""
    if progress is not None:
        progress(done, total)
