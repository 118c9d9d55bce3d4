"""The kernels beside convolutions give the same bits on every emulated core, at each of the three kernel levels."""

from __future__ import annotations

import pytest

from edge_sv.emulation import load_board, run_firmware
from tests.firmware.conftest import COMMON, REPOSITORY, WARNINGS, run, tool

pytestmark = pytest.mark.emulator
PROGRAM = REPOSITORY / "tests" / "firmware" / "kernels_program.c"
KERNELS = """
    add broadcast clamp extremum f32 f32_exp lookup mean mul pool prelu softmax square_root squared_difference tensor
""".split()
SOURCES = [COMMON / "src" / f"esv_{name}.c" for name in KERNELS]
BOARDS = {"rp2040": "M0+", "mps2-an385": "M3", "mps2-an386": "DSP", "mps3-an547": "MVE"}
ON_A_COMPUTER = r"""
#include <stdio.h>
#include "emulator.h"
void emulator_write(const char *text) { fputs(text, stdout); }
void emulator_write_decimal(uint64_t value) { printf("%llu", (unsigned long long)value); }
uint64_t emulator_instructions(void) { return 0; }
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a computer prints, name -> hash; undefined behaviour would end it."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "computer.c").write_text(ON_A_COMPUTER)
    includes = ["-I", COMMON / "include", "-I", REPOSITORY / "targets" / "cortex-m" / "emulator"]
    flags = [
        "-std=c99",
        "-O1",
        "-ffp-contract=off",
        *WARNINGS,
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]
    program = folder / "program"
    run([tool("gcc"), *flags, *includes, PROGRAM, folder / "computer.c", *SOURCES, "-o", program])
    return _hashes(run([program]))


@pytest.mark.parametrize("board", BOARDS, ids=BOARDS.get)
def test_the_same_bits_on_every_core(expected: dict[str, str], board: str) -> None:
    tool("arm-none-eabi-gcc")
    tool("qemu-system-arm")
    firmware = run_firmware([*SOURCES, PROGRAM], [COMMON / "include"], load_board(board))
    assert firmware.exit_code == 0
    assert _hashes(firmware.output) == expected
    assert len(expected) == 20


def _hashes(output: str) -> dict[str, str]:
    return {name: digest for name, digest, _ in (line.split() for line in output.splitlines())}
