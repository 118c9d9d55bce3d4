"""A short run of each fuzz target; `make fuzz` runs them long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.fuzzing import TARGETS, build, fuzz

RUNS = {"store": 2000, "protocol": 800, "samples": 400}


@pytest.mark.parametrize("target", TARGETS)
def test_finds_nothing(target: str, sanitized_device: list[Path], tmp_path: Path) -> None:
    runs = RUNS.get(target, 1000)
    done = fuzz(build(target, sanitized_device, tmp_path), target, limits=[f"-runs={runs}", "-seed=1"], folder=tmp_path)
    assert done.clean, done.report
    assert done.executions >= runs
