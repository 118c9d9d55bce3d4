"""Net-only packages on emulated boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.emulation import emulate, load_board
from edge_sv.errors import UsageError
from edge_sv.package.net_only import generate_net_only, make_net_only_vectors, read_net_only, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import DEFAULT_CODE
from tests.emulated_programs import ENROLL

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools", "interpreter")]


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
