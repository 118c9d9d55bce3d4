"""`edge-sv emulate` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.embedders import open_artifact
from edge_sv.emulation import tools
from edge_sv.package import write_package
from edge_sv.package.target import load_target
from tests.cli.commands import ADA, BEA, Run
from tests.firmware.conftest import tool


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages") / "nano"
    write_package(open_artifact("resnet-nano"), load_target("cortex-m"), folder)
    return folder


@pytest.mark.emulator
def test_decisions_and_costs(run: Run, package: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]'")
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    ran = run("emulate", package, "--board", "nrf52840", "--enroll", ADA[0], "--enroll", ADA[1], "--verify", BEA)
    assert ran.code == 0, ran.err
    assert "rejected" in ran.out and "yes, " in ran.out and "instructions per" in ran.out
    values = run("emulate", package, "--board", "nrf52840", "--json").document
    assert values["bit_exact"] is True and values["flash_bytes"] < 1024 * 1024


@pytest.mark.parametrize("strict", [True, False])
def test_a_system_that_cannot_confine_the_program_is_named(
    run: Run, package: Path, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sv.cli.emulate.is_strict", lambda: strict)
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)  # it is told before anything runs
    ran = run("emulate", package, "--board", "nrf52840")
    assert ran.code == 6 and ("emulate packages that you trust" in ran.err) is not strict


def test_what_is_wrong_is_said(run: Run, package: Path, tmp_path: Path) -> None:
    ran = run("emulate", tmp_path)
    assert ran.code in (2, 3) and str(tmp_path) in ran.err
    ran = run("emulate", package, "--board", "nrf52841")
    assert ran.code == 2 and "did you mean 'nrf52840'?" in ran.err
    ran = run("emulate", package, "--board", "nrf52840", "--enroll", tmp_path / "none.wav")
    assert ran.code == 3 and "none.wav" in ran.err


def test_the_board_that_the_package_is_for(run: Run, tmp_path: Path) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    write_package(open_artifact("resnet-nano"), load_target("nrf52840"), tmp_path / "for nrf52840")
    out = run("emulate", tmp_path / "for nrf52840").out
    assert "Nordic nRF52840" in out
    assert "instructions per second of speech" in out and "cycles" not in out.replace("per cycle", "")


@pytest.mark.emulator
@pytest.mark.parametrize(("clock_hz", "slow"), [(1_000_000, True), (400_000_000, False)])
def test_a_board_that_cannot_keep_up_with_speech_is_named(
    run: Run, package: Path, tmp_path: Path, clock_hz: int, slow: bool
) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    board = tmp_path / "watch" / "target.toml"
    board.parent.mkdir()
    words = {"description": "a board", "package": "cortex-m", "converter": "tflite", "cpu": "cortex-m4"}
    lines = [f'{key} = "{value}"' for key, value in {**words, "emulator": "mps2-an386"}.items()]
    board.write_text("\n".join([*lines, f"clock_hz = {clock_hz}", "fpu = true\n"]))
    err = run("emulate", package, "--board", board).err
    assert ("slower than real time: a second of speech takes 'watch' about" in err) == slow


def test_a_missing_tool(run: Run, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    ran = run("emulate", package)
    assert ran.code == 6 and "arm-none-eabi-gcc is needed" in ran.err and "apt-get install" in ran.err
