"""A tflite-micro package on an emulated board by its own C++ glue.

TensorFlow Lite Micro's library is in no package registry: a stand-in for its interface (tflm_stub, see its README) is
compiled for the core and linked in its place. It computes sums of its input, not the net, so the golden outputs of the
exact case are such sums, and the package's own, of the real TensorFlow Lite Micro, must be reported as different.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.cli.app import app
from edge_sv.emulation import Board, Emulation, emulate, load_board
from edge_sv.emulation.tflm import CXX_COMPILER, CXX_FLAGS, check_cxx
from edge_sv.errors import AccuracyGateFailed, DataError, ToolMissing
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from tests.firmware.conftest import STUB, WARNINGS, run, tool

pytestmark = pytest.mark.emulator
SEGMENT, DIM = 50 * 16, 24


@pytest.fixture(scope="module")
def board() -> Board:
    tool("qemu-system-arm")
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]'")
    found = load_board()
    try:
        check_cxx(found)
    except ToolMissing as error:
        pytest.skip(str(error))
    return found


@pytest.fixture
def package(tiny_artifact: ModelArtifact, tmp_path: Path) -> DevicePackage:
    return write_package(tiny_artifact, load_target("tflite-micro"), tmp_path / "tiny")


def _library(folder: Path, board: Board, *, input_bytes: int = SEGMENT) -> Path:
    """Lay out the stub as TensorFlow Lite Micro lies: headers, and a library for the core."""
    (folder / "gen").mkdir(parents=True)
    (folder / "tensorflow").symlink_to(STUB / "tensorflow")
    values = {
        "ESV_STUB_ON_INVOKE": "stub_sums",
        "ESV_STUB_INPUT": f"{{9,{input_bytes},0.1f,0}}",
        "ESV_STUB_OUTPUT": f"{{9,{DIM},0.1f,0}}",
        "STUB_SEGMENT": SEGMENT,
        "STUB_DIM": DIM,
    }
    flags = [*board.core_flags, *CXX_FLAGS, *WARNINGS, *(f"-D{name}={value}" for name, value in values.items())]
    objects = []
    for name in ("stub", "sums"):
        objects.append(folder / f"{name}.o")
        run([tool(CXX_COMPILER), *flags, "-I", STUB, "-c", STUB / f"{name}.cc", "-o", objects[-1]])
    run([tool("arm-none-eabi-ar"), "rcs", folder / "gen" / "libtensorflow-microlite.a", *objects])
    return folder


def _expect_sums(package: DevicePackage) -> None:
    """Write what the stub computes as the golden outputs."""
    for golden in package.manifest.golden:
        place = package.path / "golden" / golden.name
        segments = np.load(place / "input.npy").reshape(-1, SEGMENT)
        padded = np.pad(segments.astype(np.int64), ((0, 0), (0, -SEGMENT % DIM)))
        np.save(place / "output.npy", padded.reshape(len(segments), -1, DIM).sum(axis=1).astype(np.int8))


def _differing(done: Emulation) -> list[str]:
    return [difference.name for difference in done.differences if difference.outputs > 0]


def test_the_glue_runs_and_equal_outputs_are_exact(package: DevicePackage, board: Board, tmp_path: Path) -> None:
    _expect_sums(package)
    tflm = _library(tmp_path / "tflm", board)
    done = emulate(package, board, tflm=tflm)
    assert done.bit_exact and len(done.differences) == len(package.manifest.golden)
    sizes = package.manifest.sizes
    assert sizes.model_bytes < done.flash_bytes < sizes.model_bytes + 60_000
    assert sizes.object_bytes + package.arena_bytes <= done.ram_bytes < board.ram_bytes  # type: ignore[operator]
    assert 0 < done.stack_bytes < 8192 and done.code_bytes > 1_000
    assert SEGMENT < done.instructions["inference"] < 100 * SEGMENT
    assert emulate(package, board, tflm=tflm).to_dict() == done.to_dict()


def test_other_outputs_are_reported_and_are_an_error(package: DevicePackage, board: Board, tmp_path: Path) -> None:
    tflm = _library(tmp_path / "tflm", board)
    names = [f"golden/{golden.name}" for golden in package.manifest.golden]
    assert _differing(emulate(package, board, tflm=tflm)) == names
    told = CliRunner().invoke(app, ["emulate", str(package.path), "--tflm", str(tflm)])
    assert isinstance(told.exception, AccuracyGateFailed), told.output
    assert f"no: {', '.join(names)}" in told.output.replace("\n", " ")
    _expect_sums(package)
    place = package.path / "golden" / package.manifest.golden[0].name / "output.npy"
    outputs = np.load(place)
    outputs[-1, -1] ^= 1
    np.save(place, outputs)
    first = emulate(package, board, tflm=tflm).differences[0]
    assert (first.name, first.outputs) == (names[0], 1)


def test_what_the_glue_refuses_is_told_in_its_words(package: DevicePackage, board: Board, tmp_path: Path) -> None:
    tflm = _library(tmp_path / "tflm", board, input_bytes=SEGMENT - 1)
    with pytest.raises(DataError, match="refused") as refused:
        emulate(package, board, tflm=tflm)
    assert "not what" in refused.value.details["got"]


def test_a_library_for_another_core_is_told(package: DevicePackage, board: Board, tmp_path: Path) -> None:
    tflm = _library(tmp_path / "tflm", load_board("mps2-an385"))
    with pytest.raises(DataError, match="does not link"):
        emulate(package, board, tflm=tflm)
