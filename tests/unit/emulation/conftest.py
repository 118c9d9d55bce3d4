"""Packages of a tiny net, for an emulated board."""

from __future__ import annotations

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.emulation import Emulation, emulate, load_board
from edge_sv.emulation.device import EmulatedDevice
from edge_sv.emulation.speaker import artifact_source
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from tests.emulated_programs import ENROLL, VERIFY
from tests.firmware.conftest import tool


@pytest.fixture(scope="session")
def emulator_tools() -> None:
    """Skip a test where compiler or emulator are missing."""
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")


@pytest.fixture(scope="session")
def interpreter() -> None:
    """Skip a test without the interpreter that golden vectors are compared with."""
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]'")


@pytest.fixture(scope="session")
def package(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(tiny_artifact, load_target("cortex-m"), tmp_path_factory.mktemp("packages") / "tiny")


@pytest.fixture(scope="session")
def done(package: DevicePackage) -> Emulation:
    """What a package did with two voices on an nRF52840."""
    return emulate(package, load_board("nrf52840"), enroll=ENROLL, verify=VERIFY)


@pytest.fixture(scope="module")
def device(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> EmulatedDevice:
    folder = tmp_path_factory.mktemp("device")
    source = artifact_source(tiny_artifact, folder / "code")
    return EmulatedDevice(tiny_artifact, source, board=load_board("mps2-an386"), folder=folder)
