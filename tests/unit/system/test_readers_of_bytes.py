"""Whatever bytes a reader gets, it gives a value or an error in words, in bounded time and memory."""

from __future__ import annotations

import pytest

from tests.reader_fuzzing import READERS, fuzz


@pytest.mark.parametrize("name", READERS)
def test_finds_nothing(name: str) -> None:
    done = fuzz(name, executions=100, seed=1)
    assert done.executions >= 100 and done.refused > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_finds_nothing_in_many_files(name: str) -> None:
    assert fuzz(name, seconds=60).executions >= 1000
