"""Build a program for a board: compile, link within the part's limits, measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from edge_sv.emulation.board import Board
from edge_sv.emulation.does_not_fit import does_not_fit
from edge_sv.emulation.object_cache import COMPILER, Compilation, first_error
from edge_sv.emulation.tools import run_tool
from edge_sv.errors import DataError
from edge_sv.system.bundled import targets_dir

PREFIX = "arm-none-eabi-"
COMPILE_FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fno-math-errno", "-ffunction-sections", "-fdata-sections")
"""How a package is compiled where nothing else is asked for. No contraction to fused operations: every core and the
computer round alike."""
STACK_BYTES = 8192
MAIN_OBJECTS = "emulated-main"
"""The names of the object files that are not the package's begin so; the linker script tells them apart by that."""
_FLASH = (".vectors", ".text", ".rodata", ".init_array", ".ARM.extab", ".ARM.exidx", ".data")
_RAM = (".data", ".bss")


@dataclass(frozen=True)
class Program:
    """A program that is ready to run.

    Args:
        elf: the file.
        board: what it was linked for.
        code_bytes: functions of the package and the C library; without the part that reads files and measures here.
        flash_bytes: these, constants and initial values.
        ram_bytes: variables of the same; without the stack.
    """

    elf: Path
    board: Board
    code_bytes: int
    flash_bytes: int
    ram_bytes: int


def emulator_sources() -> Path:
    """Return the folder of the start-up code, semihosting, measurement and linker script."""
    return targets_dir() / "cortex-m" / "emulator"


def build_program(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    board: Board,
    *,
    folder: Path,
    small_sources: Sequence[Path] = (),
    main: Sequence[Path] = (),
    defines: Mapping[str, str | int] | None = None,
    flags: Sequence[str] = COMPILE_FLAGS,
    stack_bytes: int = STACK_BYTES,
    link: Sequence[str | Path] = (),
) -> Program:
    """Compile and link.

    Args:
        sources: C files of the package; these are what is measured.
        include_dirs: where they find their headers.
        board: the part.
        folder: an empty folder for the program.
        small_sources: more of them, to be compiled for size.
        main: C files that belong to the emulation: main, and what it needs. Among `sources` main may also be.
        defines: preprocessor symbols for both.
        flags: GCC's options for both.
        stack_bytes: room for the stack.
        link: object files and libraries that also belong to the package, and options of the linker.

    Raises:
        ToolMissing: the compiler is not installed.
        DataError: a source does not compile, or a function is missing.
        DoesNotFit: the program is larger than the part; says by how much, and what weighs most.
    """
    common = emulator_sources()
    count_ns = Fraction(10**9, board.machine.systick_hz)
    clocks = {
        "EMULATOR_COUNT_NS": f"{count_ns.numerator}u",
        "EMULATOR_COUNT_NS_DIVISOR": f"{count_ns.denominator}u",
        "EMULATOR_CLOCK_HZ": f"{board.clock_hz}u",
    }
    options = [*board.core_flags, *flags, *_defines(defines or {})]
    folders = [*include_dirs, common]
    own = [*(common / f"{name}.c" for name in ("startup", "semihosting", "measure", "operators")), *main]
    objects: list[str | Path] = [
        *Compilation(options, folders, name="package").compile(sources),
        *Compilation([*options, "-Os"], folders, name="package").compile(small_sources),
        *Compilation([*options, *_defines(clocks)], folders, name=MAIN_OBJECTS).compile(own),
        *link,
    ]
    linked = _link(objects, board, folder, stack_bytes)
    if "overflowed by" in linked or "will not fit" in linked:
        raise does_not_fit(linked, board, _largest(objects, board, folder, stack_bytes), stack_bytes=stack_bytes)
    if linked:
        raise DataError("the program does not link", details={"linker": first_error(linked)})
    sizes = _section_sizes(folder)
    return Program(
        elf=folder / "program.elf",
        board=board,
        code_bytes=sizes.get(".text", 0),
        flash_bytes=sum(sizes.get(name, 0) for name in _FLASH),
        ram_bytes=sum(sizes.get(name, 0) for name in _RAM),
    )


def _link(
    objects: Sequence[str | Path], board: Board, folder: Path, stack_bytes: int, *, extra: Sequence[str] = ()
) -> str:
    """Link; return what the linker complains about, or nothing."""
    symbols = {**board.memory, "STACK_BYTES": stack_bytes}
    main = "main_apart.ld" if board.apart else "main_within.ld"
    command: list[str | Path] = [
        COMPILER,
        *board.core_flags,
        "-nostartfiles",
        *(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()),
        *(f"-Wl,-T,{emulator_sources() / name}" for name in ("memory.ld", main, "sections.ld")),
        "-Wl,--gc-sections,--no-warn-rwx-segments",
        *extra,
        *objects,
        "-lm",
        "-o",
        folder / "program.elf",
    ]
    done = run_tool(command, folder=folder)
    return "" if done.returncode == 0 else done.stderr


def _largest(objects: Sequence[str | Path], board: Board, folder: Path, stack_bytes: int) -> list[tuple[str, str, int]]:
    """Link without regard to the limits, to see what is in the program: (kind, symbol, bytes), largest first."""
    _link(objects, board, folder, stack_bytes, extra=["-Wl,--noinhibit-exec"])
    listed = run_tool([f"{PREFIX}nm", "--print-size", "--size-sort", "--reverse-sort", "program.elf"], folder=folder)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [(row[2], row[3], int(row[1], 16)) for row in rows if len(row) == 4]


def _section_sizes(folder: Path) -> dict[str, int]:
    listed = run_tool([f"{PREFIX}size", "-A", "-d", "program.elf"], folder=folder)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}


def _defines(symbols: Mapping[str, str | int]) -> list[str]:
    return [f"-D{name}={value}" for name, value in symbols.items()]
