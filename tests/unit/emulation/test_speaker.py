"""Speaker packages on emulated boards: the same bits as on this computer on every core, and figures that repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import artifact_embedder
from edge_sv.emulation import Emulation, emulate, load_board
from edge_sv.emulation.device import EmulatedDevice
from edge_sv.emulation.speaker import package_source
from edge_sv.errors import DataError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.target import list_targets, load_target
from edge_sv.verification.verifier import Verifier
from tests.emulated_programs import ENROLL, RATE, VERIFY

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("emulator_tools", "interpreter")]
CORES = ["rp2040", "mps2-an385", "nrf52840", "mps2-an500", "mps2-an505", "mps3-an547"]
"""Cortex-M0+, M3, M4F, M7, M33 and M55 with MVE."""


@pytest.mark.parametrize("core", CORES)
def test_every_core_computes_what_this_computer_computes(core: str, package: DevicePackage) -> None:
    emulated = emulate(package, load_board(core), enroll=ENROLL[:1], verify=VERIFY[:1])
    assert [difference for difference in emulated.differences if not difference.exact] == []
    assert len(emulated.differences) == 2 * len(package.manifest.golden) + 2
    assert emulated.verified[0].score is not None


@pytest.mark.parametrize("board", [t.name for t in list_targets() if t.emulator and t.name not in CORES])
def test_every_other_board_runs_the_golden_vectors(board: str, package: DevicePackage, tmp_path: Path) -> None:
    source = package_source(package, package.manifest.generated)
    device = EmulatedDevice(package.artifact, source, board=load_board(board), folder=tmp_path)
    for golden in package.manifest.golden:
        inputs, outputs = (np.load(package.path / "golden" / golden.name / f"{n}.npy") for n in ("input", "output"))
        np.testing.assert_array_equal(device.run_vectors(inputs), outputs)


def test_decisions_are_those_of_the_same_code_on_this_computer(done: Emulation, tiny_artifact: ModelArtifact) -> None:
    here = Verifier(artifact_embedder(tiny_artifact, runtime="c"), tiny_artifact.scoring, tiny_artifact.cohort)
    voice_print = here.enroll([pcm for _, pcm in ENROLL])
    for decided, (name, pcm) in zip(done.verified, VERIFY, strict=True):
        wanted = here.verify(voice_print, pcm)
        assert decided.recording == name
        assert decided.score == pytest.approx(wanted.score, abs=1e-4)
        assert decided.threshold == pytest.approx(wanted.threshold, abs=1e-6)
        assert decided.accepted is wanted.accepted


def test_figures_add_up(done: Emulation, package: DevicePackage) -> None:
    counted = done.instructions
    assert counted["total"] == pytest.approx(counted["features"] + counted["inference"], abs=2)
    assert sum(operator.instructions for operator in done.operators) == pytest.approx(counted["inference"], rel=0.1)
    assert [operator.name for operator in done.operators] == [layer["name"] for layer in package.manifest.layers]
    assert done.state_bytes == package.manifest.sizes.state_bytes
    assert package.manifest.sizes.model_bytes < done.flash_bytes < package.manifest.sizes.model_bytes + 40_000
    assert done.state_bytes < done.ram_bytes < done.state_bytes + 16_384
    assert 5_000 < done.code_bytes < done.flash_bytes - package.manifest.sizes.model_bytes
    assert 0 < done.stack_bytes < 4096
    assert done.milliseconds()["total"] == pytest.approx(counted["total"] / 64_000)


def test_an_interpreter_s_package_runs_as_generated_code(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    interpreted = write_package(tiny_artifact, load_target("tflite-micro"), tmp_path / "tflm")
    emulated = emulate(interpreted, load_board("mps2-an386"), enroll=ENROLL[:1], verify=VERIFY[:1])
    assert emulated.bit_exact and emulated.plan == "streaming"


def test_silence_is_not_enrolled(package: DevicePackage) -> None:
    silence = np.zeros(RATE, np.int16)
    with pytest.raises(DataError, match=r"does not enroll silence\n(.|\n)*silent"):
        emulate(package, load_board("mps2-an386"), enroll=[("silence", silence)])


def test_a_silent_recording_is_not_verified_and_the_others_are(package: DevicePackage) -> None:
    silence = ("silence", np.zeros(RATE, np.int16))
    refused, heard = emulate(package, load_board("mps2-an386"), enroll=ENROLL[:1], verify=[silence, VERIFY[0]]).verified
    assert refused.refused is not None and "silent" in refused.refused and not refused.accepted
    assert heard.refused is None and heard.score is not None
