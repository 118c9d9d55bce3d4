"""Boards that can be emulated: a target with the memory map of the machine that stands in for it."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sv.errors import UsageError
from edge_sv.package.target import Machine, Target, list_targets, load_target

DEFAULT_BOARD = "mps2-an386"
VECTORS_BYTES = 64
MAIN_BYTES = 32_768
"""What main_apart.ld takes of a machine's flash and RAM."""


@dataclass(frozen=True)
class Board:
    """A target whose programs run here.

    Args:
        target: the part: its core and its limits.
        machine_name: QEMU's name of the machine that stands in for it.
        machine: where that machine has its memory.
        flash_bytes: what a program may fill; the part's limit.
        ram_bytes: likewise.
        apart: the machine has room beside the part's memory for the program that runs a package.
    """

    target: Target
    machine_name: str
    machine: Machine
    flash_bytes: int
    ram_bytes: int
    apart: bool

    @property
    def name(self) -> str:
        """Return the target's name."""
        return self.target.name

    @property
    def clock_hz(self) -> int:
        """Return the part's clock."""
        return self.target.clock_hz or self.machine.systick_hz

    @property
    def core_flags(self) -> list[str]:
        """Return GCC's options for the core: it derives the floating-point unit from -mcpu."""
        return [f"-mcpu={self.target.cpu}", "-mthumb", f"-mfloat-abi={'hard' if self.target.fpu else 'soft'}"]

    @property
    def memory(self) -> dict[str, int]:
        """Return the symbols that the linker script asks for. The vector table is the flash's first 64 bytes."""
        flash, vectors = self.machine.flash_origin, self.machine.vectors_origin
        taken = VECTORS_BYTES if vectors is None else 0
        return {
            "VECTORS_ORIGIN": flash if vectors is None else vectors,
            "FLASH_ORIGIN": flash + taken,
            "FLASH_BYTES": self.flash_bytes - taken,
            "RAM_ORIGIN": self.machine.ram_origin,
            "RAM_BYTES": self.ram_bytes,
        }


def load_board(name: str = DEFAULT_BOARD) -> Board:
    """Find a board.

    Args:
        name: a bundled board, or the path of a target.toml that names its `emulator`.

    Raises:
        UsageError: there is none of that name, or it cannot be emulated.
        DataError: its file cannot be used.
    """
    return board_of(load_target(name))


def default_board(target_name: str) -> str:
    """Name the board for a package that was built for a target: the target itself where it is a bundled board."""
    boards = [board.name for board in list_targets() if board.emulator]
    return target_name if target_name in boards else DEFAULT_BOARD


def board_of(target: Target) -> Board:
    """Join a target with the machine that stands in for it.

    Raises:
        UsageError: the target has none.
    """
    host = target if target.machine else load_target(target.emulator) if target.emulator else None
    if host is None or host.machine is None or target.cpu is None:
        raise UsageError(
            f"target '{target.name}' is not a board that can be emulated",
            details={"boards": ", ".join(board.name for board in list_targets() if board.emulator)},
            hint=f"--board {DEFAULT_BOARD}, or a target.toml with cpu and emulator",
        )
    flash, ram = host.flash_bytes or 0, host.ram_bytes or 0
    flash_limit, ram_limit = min(target.flash_bytes or flash, flash), min(target.ram_bytes or ram, ram)
    return Board(
        target=target,
        machine_name=host.emulator or host.name,
        machine=host.machine,
        flash_bytes=flash_limit,
        ram_bytes=ram_limit,
        apart=min(flash - flash_limit, ram - ram_limit) >= MAIN_BYTES,
    )
