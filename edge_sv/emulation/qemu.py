"""Run a program on the emulated board."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sv.emulation.board import Board
from edge_sv.emulation.program import COMPILE_FLAGS, STACK_BYTES, Program, build_program
from edge_sv.emulation.tools import find_tool
from edge_sv.errors import DataError

QEMU = "qemu-system-arm"
TIMEOUT_S = 600.0
FAULT = 99
_FIGURES = re.compile(r"\nemulator: instructions (\d+)\nemulator: stack (\d+)\n$")


@dataclass(frozen=True)
class FirmwareRun:
    """What a program did.

    Args:
        output: the text that it wrote.
        exit_code: what main returned.
        instructions: from main's start to its end, to the length of a SysTick count; not cycles.
        stack_bytes: the deepest that its stack has been.
        code_bytes: see `Program`.
        flash_bytes: see `Program`.
        ram_bytes: see `Program`.
    """

    output: str
    exit_code: int
    instructions: int
    stack_bytes: int
    code_bytes: int
    flash_bytes: int
    ram_bytes: int


def run_firmware(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    board: Board,
    *,
    arguments: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    defines: Mapping[str, str | int] | None = None,
    flags: Sequence[str] = COMPILE_FLAGS,
    stack_bytes: int = STACK_BYTES,
) -> FirmwareRun:
    """Compile C files, one of which has main, and run them on an emulated board; emulator.h has what main may use.

    Args:
        sources: C files.
        include_dirs: where they find their headers.
        board: see `load_board`.
        arguments: argv[1] and on; words without spaces.
        files: files that the program may open, name -> content.
        defines: preprocessor symbols.
        flags: GCC's options.
        stack_bytes: room for the stack.

    Raises:
        ToolMissing: the compiler or the emulator is not installed.
        DataError: the sources do not compile or link, or the program crashed.
        DoesNotFit: the program is larger than the board.
    """
    with tempfile.TemporaryDirectory(prefix="edge-sv-emulate-") as folder:
        program = build_program(
            sources, include_dirs, board, folder=Path(folder), defines=defines, flags=flags, stack_bytes=stack_bytes
        )
        for name, data in (files or {}).items():
            (Path(folder) / name).write_bytes(data)
        return run_program(program, arguments=arguments, folder=Path(folder))


def run_program(
    program: Program, *, arguments: Sequence[str] = (), folder: Path, timeout_s: float = TIMEOUT_S
) -> FirmwareRun:
    """Run a program; it reads and writes files in `folder`.

    Raises:
        ToolMissing: the emulator is not installed.
        DataError: the program crashed or did not end.
    """
    command = _command_line(program, ["program", *arguments])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"the program on '{program.board.name}' did not end within {timeout_s:.0f} s") from error
    figures = _FIGURES.search(done.stdout)
    if figures is None:
        raise _crashed(program.board, done)
    return FirmwareRun(
        output=done.stdout[: figures.start()],
        exit_code=done.returncode,
        instructions=int(figures[1]),
        stack_bytes=int(figures[2]),
        code_bytes=program.code_bytes,
        flash_bytes=program.flash_bytes,
        ram_bytes=program.ram_bytes,
    )


def _command_line(program: Program, words: Sequence[str]) -> list[str]:
    return [
        *(find_tool(QEMU), "-M", program.board.machine_name, "-kernel", str(program.elf.resolve())),
        *("-display", "none", "-monitor", "none", "-serial", "null", "-icount", "shift=0"),
        *("-chardev", "stdio,id=output", "-semihosting-config"),
        "enable=on,target=native,chardev=output," + ",".join(f"arg={word.replace(',', ',,')}" for word in words),
    ]


def _crashed(board: Board, done: subprocess.CompletedProcess[str]) -> DataError:
    lines = [*done.stdout.strip().splitlines()[-1:], *done.stderr.strip().splitlines()[:1]]
    lockup = "Lockup" in done.stderr
    return DataError(
        f"the program crashed on the emulated '{board.name}'",
        details={"got": " / ".join(lines) or f"exit code {done.returncode}"},
        hint="its stack may be too small" if lockup else None,
    )
