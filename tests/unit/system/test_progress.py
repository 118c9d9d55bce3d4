"""Progress is reported to whoever wants to know."""

from __future__ import annotations

from edge_sv.system.progress import report_progress


def test_it_is_told_what_is_done_and_all_that_there_is() -> None:
    heard: list[tuple[int, int]] = []
    for done in range(3):
        report_progress(lambda *counts: heard.append(counts), done, 2)
    assert heard == [(0, 2), (1, 2), (2, 2)]


def test_nobody_need_listen() -> None:
    report_progress(None, 1, 2)


def test_a_listener_that_is_false_is_told_all_the_same() -> None:
    class Bar(list):  # type: ignore[type-arg]
        """Empty, and so false, until it is called."""

        def __call__(self, done: int, total: int) -> None:
            self.append((done, total))

    bar = Bar()
    report_progress(bar, 1, 2)
    assert bar == [(1, 2)]
