"""A short run of each fuzz target; `make fuzz` runs them long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.fuzzing import TARGETS, build, build_device, fuzz

RUNS = {"store": 3000, "protocol": 1500, "samples": 600}


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build_device(tmp_path_factory.mktemp("fuzzed_device"))


@pytest.mark.parametrize("target", TARGETS)
def test_finds_nothing(target: str, device: list[Path], tmp_path: Path) -> None:
    runs = RUNS.get(target, 1000)
    done = fuzz(build(target, device, tmp_path), target, limits=[f"-runs={runs}", "-seed=1"], folder=tmp_path)
    assert done.clean, done.report
    assert done.executions >= runs
