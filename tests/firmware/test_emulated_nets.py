"""The bundled nets on emulated boards: demo voices enrolled and verified, every embedding bit for bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edge_sv.artifacts.locate import asset_names
from edge_sv.audio.recording import read_recording
from edge_sv.embedders import open_artifact
from edge_sv.emulation import Recordings, emulate, load_board
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.demo import bundled_voices, is_bundled_speaker
from tests.firmware.conftest import tool

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="pip install 'edge-sv[micro]'"),
]
NETS = asset_names()
BOARDS = ["rp2040", "mps2-an385", "nrf52840", "netduinoplus2", "mps2-an500", "mps2-an505", "mps3-an547"]


QUICK = ("resnet-nano", ("nrf52840", "mps3-an547"))
"""What every run of the tests emulates, on one core with the DSP extension and one with MVE; the rest is slow."""
CASES = [
    pytest.param(net, board, marks=[] if net == QUICK[0] and board in QUICK[1] else pytest.mark.slow)
    for net in NETS
    for board in BOARDS
]


@pytest.fixture(scope="module")
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    folder: Path = tmp_path_factory.mktemp("packages")
    return write_package(open_artifact(request.param), load_target("cortex-m"), folder / request.param)


def _voices() -> tuple[Recordings, Recordings]:
    enroll, verify = ([(path.stem, read_recording(path)) for path in paths] for paths in bundled_voices())
    return enroll, verify[:2]


@pytest.mark.parametrize(("package", "board"), CASES, indirect=["package"])
def test_a_bundled_net_enrolls_and_verifies_the_demo_voices(package: DevicePackage, board: str) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    enroll, verify = _voices()
    done = emulate(package, load_board(board), enroll=enroll, verify=verify)
    assert [difference for difference in done.differences if not difference.exact] == []
    decided = {verified.recording: verified.accepted for verified in done.verified}
    assert decided == {name: is_bundled_speaker(name) for name, _ in verify}
