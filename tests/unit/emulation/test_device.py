"""A net with its runtime on an emulated board."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import artifact_embedder
from edge_sv.emulation.device import EmulatedDevice, operator_counts
from edge_sv.errors import DataError, UsageError
from tests.emulated_programs import ENROLL, VERIFY

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools", "interpreter")]


def test_two_runs_count_the_same_instructions(device: EmulatedDevice) -> None:
    pcm = VERIFY[0][1]
    first, operators = device.measure(pcm), device.count_operators(pcm)
    assert device.measure(pcm) == first and device.count_operators(pcm) == operators
    assert device.measure(np.concatenate([pcm, pcm])).total > 1.8 * first.total


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


def test_embeddings_are_those_of_the_same_code_on_this_computer(tiny_artifact: ModelArtifact) -> None:
    emulated, compiled = (artifact_embedder(tiny_artifact, runtime=runtime) for runtime in ("emulator", "c"))
    pcm = VERIFY[1][1]
    np.testing.assert_array_equal(emulated.embed(pcm).view(np.int32), compiled.embed(pcm).view(np.int32))


def test_operators_are_counted_by_number() -> None:
    assert operator_counts("total 9\noperator 0 12\noperator 11 345\nnoperator 3 4\n") == {0: 12, 11: 345}


def test_what_the_device_refuses_is_said(device: EmulatedDevice) -> None:
    with pytest.raises(DataError, match="the device on 'mps2-an386' refused"):
        device.embed(np.zeros(100, np.int16))
    with pytest.raises(UsageError):
        device.embed(np.zeros(16000, np.float32))  # type: ignore[arg-type]
