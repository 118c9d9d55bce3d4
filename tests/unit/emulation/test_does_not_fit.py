"""A program that is larger than a part, in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_sv.emulation import Board, emulate, load_board
from edge_sv.errors import DoesNotFit
from edge_sv.package import DevicePackage
from tests.emulated_programs import run_c

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools")]


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
