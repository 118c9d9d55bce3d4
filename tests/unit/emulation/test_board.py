"""Boards: the part's limits, the memory of the machine that stands in for it."""

from __future__ import annotations

import dataclasses
import re

import pytest

from edge_sv.emulation import board_of, load_board
from edge_sv.emulation.board import DEFAULT_BOARD, MAIN_BYTES, VECTORS_BYTES, default_board
from edge_sv.emulation.program import emulator_sources
from edge_sv.errors import UsageError
from edge_sv.package.target import list_targets, load_target

BOARDS = [target.name for target in list_targets() if target.emulator]


def test_a_family_of_devices_is_not_a_board() -> None:
    with pytest.raises(UsageError, match=r"'tflite-micro' is not a board(.|\n)*mps2-an386"):
        load_board("tflite-micro")


def test_a_part_of_ones_own_keeps_the_limits_of_its_stand_in() -> None:
    nrf = load_target("nrf52840")
    board = board_of(dataclasses.replace(nrf, name="mine", ram_bytes=1 << 30, flash_bytes=None))
    assert (board.ram_bytes, board.flash_bytes) == (4 << 20, 4 << 20)
    assert board.machine_name == "mps2-an386"


@pytest.mark.parametrize("name", BOARDS)
def test_a_program_gets_no_more_than_the_part_has(name: str) -> None:
    board, target = load_board(name), load_target(name)
    memory = board.memory
    taken = VECTORS_BYTES if board.machine.vectors_origin is None else 0
    assert memory["FLASH_BYTES"] + taken == board.flash_bytes <= (target.flash_bytes or board.flash_bytes)
    assert memory["RAM_BYTES"] == board.ram_bytes <= (target.ram_bytes or board.ram_bytes)
    assert memory["VECTORS_ORIGIN"] + taken <= memory["FLASH_ORIGIN"] or taken == 0
    assert board.core_flags[0] == f"-mcpu={target.cpu}" and ("hard" in board.core_flags[2]) == bool(target.fpu)
    assert board.clock_hz == (target.clock_hz or board.machine.systick_hz)


def test_the_board_of_a_package() -> None:
    assert default_board("nrf52840") == "nrf52840"
    assert default_board("cortex-m") == default_board("no such target") == DEFAULT_BOARD


@pytest.mark.parametrize(
    ("flash_room", "ram_room", "apart"),
    [(MAIN_BYTES, MAIN_BYTES, True), (MAIN_BYTES - 1, MAIN_BYTES, False), (MAIN_BYTES, MAIN_BYTES - 1, False)],
)
def test_the_program_around_a_package_lies_beside_the_part_where_there_is_room(
    flash_room: int, ram_room: int, apart: bool
) -> None:
    part, machine = load_target("nrf52840"), load_target("mps2-an386")
    assert part.emulator == machine.name and machine.flash_bytes and machine.ram_bytes
    flash, ram = machine.flash_bytes - flash_room, machine.ram_bytes - ram_room
    board = board_of(dataclasses.replace(part, flash_bytes=flash, ram_bytes=ram))
    assert (board.flash_bytes, board.ram_bytes, board.apart) == (flash, ram, apart)


def test_the_linker_scripts_have_the_same_sizes() -> None:
    apart, memory = ((emulator_sources() / name).read_text() for name in ("main_apart.ld", "memory.ld"))
    assert {int(size) * 1024 for size in re.findall(r"LENGTH = (\d+)K", apart)} == {MAIN_BYTES}
    assert re.findall(r"VECTORS .*LENGTH = (\d+)", memory) == [str(VECTORS_BYTES)]
