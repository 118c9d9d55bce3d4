"""Packages of any kind: which emulation runs them, and what is said where the device computes something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sv.emulation import check_exact, emulate, load_board
from edge_sv.errors import AccuracyGateFailed, DataError, UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from tests.emulated_programs import ENROLL, VERIFY

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools", "interpreter")]


def test_a_wrong_bit_is_found(package: DevicePackage, tmp_path: Path) -> None:
    """The device's answers are compared with the golden vectors that lie in the package, not with themselves."""
    copy = write_package(package.artifact, load_target("cortex-m"), tmp_path / "copy")
    place = copy.path / "golden" / "buzz" / "output.npy"
    values = np.load(place)
    values[0, 3] ^= 1
    np.save(place, values)
    emulated = emulate(copy, load_board("mps2-an386"))
    assert not emulated.bit_exact
    with pytest.raises(AccuracyGateFailed, match=r"golden/buzz(.|\n)*1 outputs"):
        check_exact(emulated)


def test_what_cannot_be_asked(package: DevicePackage, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no voice to compare with"):
        emulate(package, load_board(), verify=VERIFY)
    with pytest.raises(UsageError, match="takes no recordings"):
        emulate(package, load_board(), tflm=tmp_path, enroll=ENROLL)


def test_a_package_without_golden_vectors_is_refused(package: DevicePackage) -> None:
    bare = replace(package, manifest=package.manifest.model_copy(update={"golden": ()}))
    with pytest.raises(DataError, match="no golden vectors to run"):
        emulate(bare, load_board())
