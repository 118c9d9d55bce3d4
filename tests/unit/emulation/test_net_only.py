"""Net-only packages on emulated boards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.emulation import FirmwareRun, emulate, load_board
from edge_sv.emulation.net_only import FLOAT_ULPS, _count, _inference
from edge_sv.errors import DataError, UsageError
from edge_sv.package.net_only import generate_net_only, make_net_only_vectors, read_net_only, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import DEFAULT_CODE
from tests.emulated_programs import ENROLL


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools", "interpreter")
def test_any_net_s_package_runs_its_golden_vectors(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    (tmp_path / "any.tflite").write_bytes(tiny_artifact.model)
    net = read_net_only(tmp_path / "any.tflite")
    generated = generate_net_only(net, DEFAULT_CODE)
    vectors = make_net_only_vectors(net, generated)
    bare = write_net_only_package(net, load_target("cortex-m"), tmp_path / "bare", vectors=vectors, code=DEFAULT_CODE)
    emulated = emulate(bare, load_board("mps3-an547"))
    assert emulated.bit_exact and len(emulated.differences) == len(vectors)
    assert emulated.instructions["inference"] == pytest.approx(
        sum(operator.instructions for operator in emulated.operators), rel=0.1
    )
    with pytest.raises(UsageError, match="takes no recordings"):
        emulate(bare, load_board("mps3-an547"), enroll=ENROLL)


@pytest.mark.filterwarnings("error")
def test_floats_may_differ_in_their_last_places_and_integers_in_none() -> None:
    wanted = np.array([1.0, -1.0, 3e-40, 0.0, np.inf, np.nan], np.float32)
    near, outward = wanted.copy(), np.array([2.0, -2.0, 2.0], np.float32)
    for _ in range(FLOAT_ULPS):
        near[:3] = np.nextafter(near[:3], outward)
    assert _count(wanted, wanted) == _count(near, wanted) == 0
    assert _count(np.nextafter(near[:3], outward), wanted[:3]) == 3
    assert _count(np.array([np.nan, 0.0], np.float32), np.array([0.0, np.nan], np.float32)) == 2
    assert _count(np.array([1, 2, 3], np.int8), np.array([1, 3, 3], np.int8)) == 1


@pytest.mark.parametrize("output", ["", "inference many\n", "inference " + "9" * 5000 + "\n"])
def test_a_program_that_counts_nothing_is_told(output: str) -> None:
    with pytest.raises(DataError, match="reported no instruction counts") as caught:
        _inference(FirmwareRun(output, 0, 1, 1, 1, 1, 1))
    assert len(str(caught.value)) < 400
