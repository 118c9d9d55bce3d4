"""Programs for emulated boards, and recordings for packages there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sv.emulation import FirmwareRun, load_board, run_firmware
from edge_sv.package.golden_vectors import buzz
from edge_sv.system.array_types import Int16

RATE = 16000

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


def run_c(folder: Path, board: str, text: str = PROGRAM, **options: object) -> FirmwareRun:
    """Compile a C program and run it."""
    (folder / "main.c").write_text(text)
    return run_firmware([folder / "main.c"], [], load_board(board), **options)  # type: ignore[arg-type]


def run_program(folder: Path, board: str) -> FirmwareRun:
    """Run `PROGRAM` with its file."""
    return run_c(folder, board, arguments=["in.txt"], files={"in.txt": b"from a file"})


def recording(seconds: float, seed: int) -> Int16:
    """A buzz at another speed and loudness for each seed."""
    whole = buzz(4 * RATE, RATE).astype(np.float64)
    places = np.arange(int(seconds * RATE)) * (0.8 + 0.15 * seed)
    return np.asarray(np.interp(places, np.arange(len(whole)), whole) * (0.5 + 0.1 * seed), np.int16)


ENROLL = [("first", recording(1.2, 0)), ("second", recording(0.9, 1))]
VERIFY = [("third", recording(1.5, 0)), ("other", recording(1.0, 2))]
