"""A program that is larger than a part, in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sv.emulation import Board, emulate, load_board
from edge_sv.emulation.does_not_fit import does_not_fit
from edge_sv.errors import DoesNotFit
from edge_sv.package import DevicePackage
from tests.emulated_programs import run_c

LINKER = """
region `FLASH' overflowed by 1500 bytes
region `RAM' overflowed by 20 bytes
"""
SYMBOLS = [
    ("r", "weights", 900_000),
    ("T", "esv_conv", 3_000),
    ("b", "emulator_line", 2_048),
    ("B", "memory", 1_000),
    ("d", "table", 12),
    ("t", "esv_pool", 8),
    ("r", "names", 4),
]


def test_every_memory_says_what_it_needs_and_what_fills_it() -> None:
    """The three largest of each, without what belongs to the emulation; the stack counts as RAM."""
    error = does_not_fit(LINKER, load_board("nrf52840"), SYMBOLS, stack_bytes=4096)
    assert error.message == "the program does not fit 'nrf52840': 1,500 bytes of flash and 20 bytes of RAM too many"
    assert error.details == {
        "flash": "needs 1,050,076 bytes of 1,048,576",
        "most flash": "weights 900,000, esv_conv 3,000, esv_pool 8",
        "RAM": "needs 262,164 bytes of 262,144",
        "most RAM": "memory 1,000, table 12, stack 4,096",
    }
    assert error.hint is not None and error.hint.count("or a larger part") == 2


def test_a_complaint_without_numbers_is_an_error_all_the_same() -> None:
    error = does_not_fit("section .text will not fit in region FLASH", load_board(), SYMBOLS, stack_bytes=1)
    assert "some memory too many" in error.message and (error.details, error.hint) == ({}, None)


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools")
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
        run_c(tmp_path, "nrf52840", text)
    assert caught.value.exit_code == 4
    run_c(tmp_path, "mps2-an386", text)


def _smaller(name: str, **limits: int) -> Board:
    return dataclasses.replace(load_board(name), **limits)


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools")
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"ram_bytes": 8_192}, r"bytes of RAM too many(.|\n)*device_memory"),
        ({"flash_bytes": 16_384}, r"bytes of flash too many(.|\n)*most flash"),
    ],
    ids=["RAM", "flash"],
)
def test_a_package_that_does_not_fit_is_refused(package: DevicePackage, limits: dict[str, int], said: str) -> None:
    with pytest.raises(DoesNotFit, match=said):
        emulate(package, _smaller("nrf52840", **limits))
