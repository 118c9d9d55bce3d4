"""A tflite-micro package on an emulated board: its own C++ glue, run by the user's build of TensorFlow Lite Micro."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sv.emulation.board import Board
from edge_sv.emulation.object_cache import Compilation
from edge_sv.emulation.program import STACK_BYTES, Program, build_program, emulator_sources
from edge_sv.emulation.qemu import FirmwareRun, run_program
from edge_sv.emulation.reference import Difference, count_differences
from edge_sv.emulation.report import Emulation
from edge_sv.emulation.tools import run_tool
from edge_sv.errors import DataError, ToolMissing, UsageError
from edge_sv.package.read import DevicePackage
from edge_sv.system.array_types import Int8
from edge_sv.system.files import read_file
from edge_sv.system.npz import read_array

CXX_COMPILER = "arm-none-eabi-g++"
CXX_INSTALL = "sudo apt-get install --no-install-recommends gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib"
CXX_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-O2", "-ffunction-sections", "-fdata-sections")
TFLM_DEFINES = ("-DTF_LITE_STATIC_MEMORY",)
"""The layout of TensorFlow Lite Micro's tensors depends on it; its own Makefile always defines it."""
INTERPRETER_HEADER = "tensorflow/lite/micro/micro_interpreter.h"
THIRD_PARTY_HEADERS = ("flatbuffers/flatbuffers.h", "fixedpoint/fixedpoint.h", "ruy/profiler/instrumentation.h")
"""Of flatbuffers, gemmlowp and ruy, as TensorFlow Lite Micro's headers include them."""
_FIGURES = re.compile(r"^inference (\d{1,18})\narena (\d{1,18})$", re.MULTILINE)


@dataclass(frozen=True)
class TflmBuild:
    """TensorFlow Lite Micro as it lies on disk.

    Args:
        include_dirs: its own headers' folder and those of the libraries that they include.
        library: compiled for the board's core.
    """

    include_dirs: tuple[Path, ...]
    library: Path


def emulate_tflm(package: DevicePackage, board: Board, tflm: Path, *, listen: Callable[[str], None]) -> Emulation:
    """Run a tflite-micro package's golden vectors by its own glue and a given build of TensorFlow Lite Micro.

    Args:
        package: of kind tflite-micro.
        board: where it runs.
        tflm: a folder with TensorFlow Lite Micro's headers and its library for the board's core.
        listen: called with what is being done.

    Raises:
        UsageError: the package is of another kind, or the folder does not exist.
        DataError: the folder lacks headers or library, or the program cannot be built, refuses the net or crashed.
        DoesNotFit: the program is larger than the board.
        ToolMissing: a compiler, its C++ library or the emulator is not installed.
    """
    kind, object_bytes = package.manifest.target.package, package.manifest.sizes.object_bytes
    if kind != "tflite-micro" or object_bytes is None:
        raise UsageError(
            f"--tflm runs packages of kind tflite-micro; {package.path} is of kind {kind}",
            hint="edge-sv build ... --target tflite-micro",
        )
    build = find_tflm(tflm, board)
    check_cxx(board)
    names = [golden.name for golden in package.manifest.golden]
    places = [package.path / "golden" / name for name in names]
    inputs = [read_array(place / "input.npy", np.int8) for place in places]
    with tempfile.TemporaryDirectory(prefix="edge-sv-emulate-") as name:
        folder = Path(name)
        listen("compile")
        program = _build(package.path, build, board, folder)
        differences = []
        stack_bytes = 0
        for place, given in zip(places, inputs, strict=True):
            listen(f"golden vector {place.name}")
            run, answer = _run(program, given, folder)
            stack_bytes = max(stack_bytes, run.stack_bytes)
            wrong = count_differences(answer, read_array(place / "output.npy", np.int8).reshape(-1))
            differences.append(Difference(f"golden/{place.name}", frames=0, outputs=wrong, embedding=0))
        listen("count instructions")
        inference, arena = _figures(_run(program, inputs[0][:1], folder)[0])
    return Emulation(
        board=board,
        package=str(package.path),
        model=package.manifest.model.name,
        plan="interpreter",
        differences=tuple(differences),
        instructions={"inference": inference, "total": inference},
        per="invocation",
        measured=f"golden/{names[0]}",
        code_bytes=program.code_bytes,
        flash_bytes=program.flash_bytes,
        ram_bytes=program.ram_bytes,
        state_bytes=object_bytes + arena,
        stack_bytes=stack_bytes,
        operators=(),
    )


def find_tflm(folder: Path, board: Board) -> TflmBuild:
    """Find TensorFlow Lite Micro's headers and library in a folder.

    Raises:
        UsageError: there is no such folder.
        DataError: it lacks headers, or has no library or several.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="--tflm DIR, a built tree of TensorFlow Lite Micro")
    if not (folder / INTERPRETER_HEADER).is_file():
        raise DataError(f"{folder} has no headers of TensorFlow Lite Micro", details={"missing": INTERPRETER_HEADER})
    libraries = sorted(folder.rglob("*.a"))
    if len(libraries) != 1:
        make = "make -f tensorflow/lite/micro/tools/make/Makefile TARGET=cortex_m_generic"
        raise DataError(
            f"{folder} has {'several libraries' if libraries else 'no library'} of TensorFlow Lite Micro",
            details={"found": ", ".join(str(path.relative_to(folder)) for path in libraries[:4]) or "no *.a"},
            hint=f"one for this core: {make} TARGET_ARCH={_tflm_core(board)} microlite",
        )
    third_party = {path.parents[1] for header in THIRD_PARTY_HEADERS for path in folder.rglob(header)}
    return TflmBuild((folder, *sorted(third_party)), libraries[0])


def check_cxx(board: Board) -> None:
    """Check that C++ can be compiled and linked for a board's core.

    Raises:
        ToolMissing: the compiler is not installed, or its library is not.
    """
    if shutil.which(CXX_COMPILER) is None:
        raise ToolMissing(
            f"{CXX_COMPILER} is needed to compile a package's C++, and is not installed", hint=CXX_INSTALL
        )
    asked = run_tool([CXX_COMPILER, *board.core_flags, "-print-file-name=libstdc++.a"], folder=Path.cwd())
    if not Path(asked.stdout.strip()).is_absolute():
        raise ToolMissing(f"{CXX_COMPILER} has no C++ library (libstdc++) for {board.target.cpu}", hint=CXX_INSTALL)


def _build(package: Path, build: TflmBuild, board: Board, folder: Path) -> Program:
    """Compile glue and C, and link them with the library.

    The glue is compiled anew each time: whether an object of last time is good is told by the headers of a package, not
    by a tree of them.
    """
    include = [package / "src", *build.include_dirs]
    options = [*board.core_flags, *CXX_FLAGS, *TFLM_DEFINES]
    glue = Compilation(options, include, name="package", cache=folder / "glue", compiler=CXX_COMPILER)
    common = emulator_sources()
    program = folder / "program"
    program.mkdir()
    return build_program(
        [*sorted((package / "src").glob("*.c")), common / "tflm_product.c"],
        [package / "src"],
        board,
        folder=program,
        main=[common / "tflm.c"],
        stack_bytes=STACK_BYTES,
        link=[
            *glue.compile(sorted((package / "src").glob("*.cc"))),
            build.library.resolve(),
            "-lstdc++",
            "--specs=nosys.specs",
        ],
    )


def _run(program: Program, segments: Int8, folder: Path) -> tuple[FirmwareRun, Int8]:
    """Run (num_segments, frames, num_mels) int8; the outputs come back flat."""
    (folder / "input.bin").write_bytes(segments.tobytes())
    run = run_program(program, folder=folder)
    if run.exit_code != 0:
        raise DataError(f"the package on '{program.board.name}' refused", details={"got": run.complaint})
    return run, np.frombuffer(read_file(folder / "output.bin"), np.int8)


def _figures(run: FirmwareRun) -> tuple[int, int]:
    """Read the instructions of the net and the bytes of its arena that it used."""
    found = _FIGURES.search(run.output)
    if found is None:
        raise DataError("the program reported no instruction counts", details={"got": run.complaint})
    return int(found[1]), int(found[2])


def _tflm_core(board: Board) -> str:
    """Name a core as TensorFlow Lite Micro's Makefile does."""
    cpu = board.target.cpu
    return f"{cpu}+fp" if board.target.fpu and cpu in ("cortex-m4", "cortex-m7") else f"{cpu}"
