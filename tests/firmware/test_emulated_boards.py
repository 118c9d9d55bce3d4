"""Emulated boards: each one boots, counts exactly, refuses what its part cannot hold, and tells a crash in words."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from edge_sv.emulation import FirmwareRun, board_of, load_board, run_firmware, tools
from edge_sv.errors import DataError, DoesNotFit, ToolMissing, UsageError
from edge_sv.package.target import list_targets, load_target
from tests.firmware.conftest import tool

pytestmark = pytest.mark.emulator
BOARDS = [target.name for target in list_targets() if target.emulator]

PROGRAM = r"""
#include <math.h>
#include "emulator.h"

static int table[3] = {5, 6, 7};

static void spin(void)
{
    __asm__ volatile(".syntax unified\n movs r0, #0\n ldr r1, =1000000\n1: adds r0, #1\n cmp r0, r1\n bne 1b" ::
                         : "r0", "r1", "cc");
}

int main(int argc, char *argv[])
{
    char text[16] = {0};
    const int in = emulator_open_read(argv[1]);
    emulator_read(in, text, emulator_length(in));
    emulator_write(text);
    emulator_write("\n");
    const uint64_t start = emulator_instructions();
    spin();
    emulator_write_decimal(emulator_instructions() - start);
    emulator_write("\n");
    volatile float two = 2.0f;
    emulator_write_decimal((uint64_t)(sqrtf(two) * 1000000.0f));
    return table[argc] ? table[2] : 0;
}
"""
UNALIGNED = r"""
#include "emulator.h"
int main(int argc, char *argv[])
{
    (void)argv;
    static uint32_t words[2];
    volatile uint32_t *const odd = (volatile uint32_t *)(void *)((uint8_t *)words + argc);
    return (int)*odd;
}
"""
DEEP = r"""
#include "emulator.h"
static int deep(volatile uint8_t *above)
{
    volatile uint8_t room[512];
    room[0] = above[0];
    return above[0] == 99 ? 0 : deep(room) + room[0];
}
int main(int argc, char *argv[])
{
    (void)argv;
    volatile uint8_t one = (uint8_t)argc;
    return deep(&one);
}
"""


@pytest.fixture(autouse=True)
def _tools() -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")


def _run(folder: Path, board: str, text: str = PROGRAM, **options: object) -> FirmwareRun:
    (folder / "main.c").write_text(text)
    return run_firmware([folder / "main.c"], [], load_board(board), **options)  # type: ignore[arg-type]


def _run_program(folder: Path, board: str) -> FirmwareRun:
    return _run(folder, board, arguments=["in.txt", "a,b"][:1], files={"in.txt": b"from a file"})


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_boots_and_counts_instructions(board: str, tmp_path: Path) -> None:
    run = _run_program(tmp_path, board)
    text, counted, root = run.output.splitlines()
    assert text == "from a file"
    assert int(counted) == pytest.approx(3_000_003, abs=500)  # 10^6 times 3 instructions
    assert int(root) == 1414213
    assert run.exit_code == 7
    assert 3_000_003 < run.instructions < 3_050_000
    assert 0 < run.stack_bytes < 2048
    assert run.flash_bytes < 32_768


def test_two_runs_count_the_same(tmp_path: Path) -> None:
    assert _run_program(tmp_path, "mps2-an386") == _run_program(tmp_path, "mps2-an386")


def test_a_fault_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"crashed on the emulated 'rp2040'(.|\n)*fault, CFSR 0x01000000"):
        _run(tmp_path, "rp2040", UNALIGNED)
    assert _run(tmp_path, "mps2-an385", UNALIGNED).exit_code == 0, "an M3 may read at any address"


def test_a_stack_that_overflows_is_not_silent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="crashed on the emulated 'mps2-an386'"):
        _run(tmp_path, "mps2-an386", DEEP)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        (
            "static volatile uint8_t activations[300000];",
            r"does not fit 'nrf52840': \d\d,\d{3} bytes of RAM too many\n"
            r"(.|\n)*RAM +needs 3\d\d,\d{3} bytes of 262,144\n(.|\n)*activations 300,000(.|\n)*stack 8,192(.|\n)*try ",
        ),
        (
            "static const uint8_t activations[2000000] = {1};",
            r"bytes of flash too many\n"
            r"(.|\n)*flash +needs 2,\d{3},\d{3} bytes of 1,048,576(.|\n)*activations 2,000,000",
        ),
    ],
    ids=["RAM", "flash"],
)
def test_what_does_not_fit_the_part_is_refused_in_words(tmp_path: Path, variable: str, said: str) -> None:
    text = f"""
#include "emulator.h"
{variable}
int main(int argc, char *argv[]) {{ return argv[0][0] + activations[argc]; }}
"""
    with pytest.raises(DoesNotFit, match=said) as caught:
        _run(tmp_path, "nrf52840", text)
    assert caught.value.exit_code == 4
    _run(tmp_path, "mps2-an386", text)


def test_what_does_not_compile_or_link_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"main\.c does not compile\n(.|\n)*error"):
        _run(tmp_path, "mps2-an386", "int main(void) { return }")
    with pytest.raises(DataError, match=r"does not link\n(.|\n)*undefined reference to `missing'"):
        _run(tmp_path, "mps2-an386", "int missing(void); int main(void) { return missing(); }")


@pytest.mark.parametrize("name", ["qemu-system-arm", "arm-none-eabi-gcc"])
def test_a_missing_tool_is_named_with_what_installs_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(tools.shutil, "which", lambda wanted: None if wanted == name else which(wanted))
    with pytest.raises(ToolMissing, match=f"{name} is needed(.|\n)*apt-get install.*qemu-system-arm") as caught:
        _run_program(tmp_path, "mps2-an386")
    assert caught.value.exit_code == 6
    assert tools.tools_missing() == [name]


def test_a_family_of_devices_is_not_a_board() -> None:
    with pytest.raises(UsageError, match=r"'tflite-micro' is not a board(.|\n)*mps2-an386"):
        load_board("tflite-micro")


def test_a_part_of_ones_own_keeps_the_limits_of_its_stand_in() -> None:
    nrf = load_target("nrf52840")
    board = board_of(dataclasses.replace(nrf, name="mine", ram_bytes=1 << 30, flash_bytes=None))
    assert (board.ram_bytes, board.flash_bytes) == (4 << 20, 4 << 20)
    assert board.machine_name == "mps2-an386"
