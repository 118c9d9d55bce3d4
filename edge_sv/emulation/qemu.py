"""Run a program on the emulated board, confined: what it is made of may be hostile.

A program reaches this computer's files by semihosting. QEMU therefore runs in a process that may read the system's
libraries and write the program's folder, and nothing else; it has no network and starts no other program.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from edge_sv.emulation.board import Board
from edge_sv.emulation.program import COMPILE_FLAGS, STACK_BYTES, Program, build_program
from edge_sv.emulation.tools import find_tool
from edge_sv.errors import DataError
from edge_sv.system.sandbox import SYSTEM_FOLDERS, Limits, clean_environment, confined_command

QEMU = "qemu-system-arm"
TIMEOUT_S = 600.0
MEMORY_BYTES = 8 << 30
FILE_BYTES = 256 << 20
"""What QEMU may use, and how large a file that it writes may become, its output among them."""
_SHOWN = 200
"""Letters of its output in a message."""
_FIGURES = re.compile(r"\nemulator: instructions (\d{1,18})\nemulator: stack (\d{1,18})\n$")


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

    @property
    def complaint(self) -> str:
        """Return the end of what it wrote, or else its exit code: what a message says of a run that went wrong."""
        return self.output.strip()[-_SHOWN:].removeprefix("error ") or f"exit code {self.exit_code}"


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
    program: Program, *, arguments: Sequence[str] = (), folder: Path, timeout_s: float | None = None
) -> FirmwareRun:
    """Run a program; it reads and writes files in `folder`, and has `timeout_s`, or `TIMEOUT_S`, to end.

    Raises:
        ToolMissing: the emulator is not installed.
        DataError: the program crashed or did not end.
    """
    command, timeout_s = _command_line(program, ["program", *arguments]), timeout_s or TIMEOUT_S
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        try:
            code = subprocess.run(
                confined_command(command, _limits(program.elf, folder)),
                cwd=folder,
                env=clean_environment(folder.resolve()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                timeout=timeout_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise DataError(f"the program on '{program.board.name}' did not end within {timeout_s:.0f} s") from error
        done = subprocess.CompletedProcess(command, code, _text(output), _text(complaints))
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
        *("-display", "none", "-monitor", "none", "-serial", "null", "-icount", "shift=0", *_no_other_programs()),
        *("-chardev", "stdio,id=output", "-semihosting-config"),
        "enable=on,target=native,chardev=output," + ",".join(f"arg={word.replace(',', ',,')}" for word in words),
    ]


def _limits(elf: Path, folder: Path) -> Limits:
    """Let QEMU read what it consists of and the program, and write the program's folder."""
    installed = Path(find_tool(QEMU)).resolve().parents[1]
    read = (*SYSTEM_FOLDERS, *(str(installed / name) for name in ("bin", "lib", "share")), str(elf.resolve()))
    return Limits(MEMORY_BYTES, file_bytes=FILE_BYTES, read=read, write=(str(folder.resolve()), "/dev/null"))


@cache
def _no_other_programs() -> tuple[str, ...]:
    """Return QEMU's option that refuses to start programs, which a semihosting call asks for, where it has one."""
    told = subprocess.run([find_tool(QEMU), "--help"], capture_output=True, text=True, errors="replace", check=False)
    known = "\n-sandbox on" in told.stdout
    return ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny") if known else ()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _crashed(board: Board, done: subprocess.CompletedProcess[str]) -> DataError:
    lines = [*done.stdout.strip().splitlines()[-1:], *done.stderr.strip().splitlines()[:1]]
    lockup = "Lockup" in done.stderr
    return DataError(
        f"the program crashed on the emulated '{board.name}'",
        details={"got": " / ".join(line[:_SHOWN] for line in lines) or f"exit code {done.returncode}"},
        hint="its stack may be too small" if lockup else None,
    )
