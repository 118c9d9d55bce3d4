"""Programs that are compiled and linked, or refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.emulation import load_board
from edge_sv.emulation.program import COMPILE_FLAGS, build_program, emulator_sources
from edge_sv.errors import DataError
from edge_sv.package import DevicePackage
from tests.emulated_programs import run_c
from tests.firmware.conftest import WARNINGS

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools")]


def test_what_does_not_compile_or_link_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"main\.c does not compile\n(.|\n)*error"):
        run_c(tmp_path, "mps2-an386", "int main(void) { return }")
    with pytest.raises(DataError, match=r"does not link\n(.|\n)*undefined reference to `missing'"):
        run_c(tmp_path, "mps2-an386", "int missing(void); int main(void) { return missing(); }")


def test_all_of_the_program_compiles_without_a_warning(package: DevicePackage, tmp_path: Path) -> None:
    here = emulator_sources()
    program = build_program(
        [*sorted((package.path / "src").glob("*.c")), here / "speaker_product.c"],
        [package.path / "include", package.path / "src"],
        load_board("mps3-an547"),
        folder=tmp_path,
        main=[here / "speaker.c", here / "board_port.c"],
        defines={
            "EMULATOR_NET": "esv_model",
            "EMULATOR_NET_UPPER": "ESV_MODEL",
            "EMULATOR_NET_HEADER": '"esv_model_config.h"',
            "ESV_OPERATOR_HOOK": 1,
        },
        flags=[*COMPILE_FLAGS, *WARNINGS],
    )
    assert 0 < program.code_bytes < program.flash_bytes
