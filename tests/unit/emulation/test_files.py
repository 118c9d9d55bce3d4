"""A package in a folder, recordings as files or arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.emulation.files import emulate_package
from edge_sv.errors import DataError, UsageError
from edge_sv.package import DevicePackage
from tests.emulated_programs import ENROLL, RATE, VERIFY

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools", "interpreter")]


def test_files_and_arrays_are_the_same(package: DevicePackage, tmp_path: Path) -> None:
    (_, voice), (_, other) = ENROLL[0], VERIFY[0]
    soundfile.write(tmp_path / "voice.wav", voice, RATE)
    from_file = emulate_package(package.path, board="mps2-an386", enroll=[tmp_path / "voice.wav"], verify=[other])
    from_array = emulate_package(package.path, board="mps2-an386", enroll=[voice], verify=[other / np.float32(32768)])
    assert from_file.bit_exact and from_file.verified[0].score == from_array.verified[0].score
    assert from_file.verified[0].recording == "verify 1"
    assert str(tmp_path / "voice.wav") in {difference.name for difference in from_file.differences}


def test_what_cannot_be_used(package: DevicePackage, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="manifest"):
        emulate_package(tmp_path)
    with pytest.raises(UsageError, match="did you mean 'nrf52840'"):
        emulate_package(package.path, board="nrf52480")
    with pytest.raises(DataError, match=r"none\.wav"):
        emulate_package(package.path, enroll=[tmp_path / "none.wav"])
