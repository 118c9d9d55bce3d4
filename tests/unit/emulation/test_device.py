"""A net with its runtime on an emulated board."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import artifact_embedder
from edge_sv.emulation import FirmwareRun
from edge_sv.emulation import device as device_module
from edge_sv.emulation.device import EmulatedDevice, Instructions, operator_counts
from edge_sv.emulation.program import emulator_sources
from edge_sv.errors import DataError, UsageError
from tests.emulated_programs import ENROLL, RATE, VERIFY


def test_instructions_are_per_second_of_the_recording() -> None:
    counted = Instructions(features=300, inference=1000, seconds=0.5)
    assert counted.total == 1300 and counted.per_second() == {"features": 600, "inference": 2000, "total": 2600}


def test_the_emulated_flash_is_as_large_as_its_driver_says() -> None:
    header = (emulator_sources() / "board_port.h").read_text()
    sizes = dict(re.findall(r"#define BOARD_(\w+) (\d+)", header))
    assert int(sizes["SECTOR_BYTES"]) * int(sizes["SECTOR_COUNT"]) == device_module._FLASH_BYTES


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools", "interpreter")
def test_two_runs_count_the_same_instructions(device: EmulatedDevice) -> None:
    pcm = VERIFY[0][1]
    first, operators = device.measure(pcm), device.count_operators(pcm)
    assert device.measure(pcm) == first and device.count_operators(pcm) == operators
    assert first.seconds == len(pcm) / RATE and 0 < first.features < first.total and sum(operators.values()) > 0
    assert sum(operators.values()) == pytest.approx(first.inference, rel=0.1)
    assert device.measure(np.concatenate([pcm, pcm])).total > 1.8 * first.total
    assert 0 < device.stack_bytes < device_module.STACK_BYTES


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools", "interpreter")
def test_a_print_outlives_a_restart(device: EmulatedDevice) -> None:
    def ask(line: str) -> str:
        return device.talk(f"{line}\n".encode())[-1]

    assert ask("HELLO").startswith("OK edge-sv")
    data = ENROLL[0][1].astype("<i2").tobytes()
    script = b"BEGIN\nDATA %d\n%sEND\nENROLL ada\n" % (len(data), data)
    assert device.talk(script)[-1] == "OK recordings=1"
    assert device.talk(b"LIST\n") == ["PRINT ada recordings=1", "OK prints=1"]
    assert ask("WIPE") == "OK"
    assert ask("LIST") == "OK prints=0"


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools", "interpreter")
def test_embeddings_are_those_of_the_same_code_on_this_computer(tiny_artifact: ModelArtifact) -> None:
    emulated, compiled = (artifact_embedder(tiny_artifact, runtime=runtime) for runtime in ("emulator", "c"))
    pcm = VERIFY[1][1]
    np.testing.assert_array_equal(emulated.embed(pcm).view(np.int32), compiled.embed(pcm).view(np.int32))


def test_operators_are_counted_by_number() -> None:
    assert operator_counts(f"operator 1 {'9' * 5000}\noperator {'9' * 5000} 1\n") == {}
    assert operator_counts("total 9\noperator 0 12\noperator 11 345\nnoperator 3 4\n") == {0: 12, 11: 345}


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools", "interpreter")
def test_what_the_device_refuses_is_said(device: EmulatedDevice) -> None:
    with pytest.raises(DataError, match="the device on 'mps2-an386' refused"):
        device.embed(np.zeros(100, np.int16))
    with pytest.raises(UsageError, match="takes \\(num_samples,\\) int16"):
        device.embed(np.zeros(16000, np.float32))  # type: ignore[arg-type]


@pytest.mark.emulator
@pytest.mark.usefixtures("emulator_tools", "interpreter")
@pytest.mark.parametrize("output", ["", "total 5\nfeatures\n", f"total {'9' * 5000}\nfeatures 1\n"])
def test_a_program_that_counts_nothing_is_told(
    device: EmulatedDevice, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "run_program", lambda *_, **__: FirmwareRun(output, 0, 1, 1, 1, 1, 1))
    with pytest.raises(DataError, match="reported no instruction counts") as caught:
        device.measure(VERIFY[0][1])
    assert len(str(caught.value)) < 400
