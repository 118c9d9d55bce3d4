"""Packages on emulated boards: the same bits as on this computer on every core, and figures that repeat."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.cli.app import app
from edge_sv.embedders import artifact_embedder
from edge_sv.emulation import Board, Emulation, check_exact, emulate, load_board, tools
from edge_sv.emulation.device import EmulatedDevice
from edge_sv.emulation.program import COMPILE_FLAGS, build_program, emulator_sources
from edge_sv.emulation.speaker import artifact_source, package_source
from edge_sv.errors import AccuracyGateFailed, DataError, DoesNotFit, UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.golden_vectors import buzz
from edge_sv.package.net_only import generate_net_only, make_net_only_vectors, read_net_only, write_net_only_package
from edge_sv.package.target import list_targets, load_target
from edge_sv.plugins.generator import DEFAULT_CODE
from edge_sv.system.array_types import Int16
from edge_sv.verification.verifier import Verifier
from tests.firmware.conftest import WARNINGS, tool

pytestmark = pytest.mark.emulator
CORES = ["rp2040", "mps2-an385", "nrf52840", "mps2-an500", "mps2-an505", "mps3-an547"]
"""Cortex-M0+, M3, M4F, M7, M33 and M55 with MVE."""
RATE = 16000


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]'")


@pytest.fixture(scope="module")
def package(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(tiny_artifact, load_target("cortex-m"), tmp_path_factory.mktemp("packages") / "tiny")


def _recording(seconds: float, seed: int) -> Int16:
    """A buzz at another speed and loudness for each seed."""
    whole = buzz(4 * RATE, RATE).astype(np.float64)
    places = np.arange(int(seconds * RATE)) * (0.8 + 0.15 * seed)
    return np.asarray(np.interp(places, np.arange(len(whole)), whole) * (0.5 + 0.1 * seed), np.int16)


ENROLL = [("first", _recording(1.2, 0)), ("second", _recording(0.9, 1))]
VERIFY = [("third", _recording(1.5, 0)), ("other", _recording(1.0, 2))]


@pytest.fixture(scope="module")
def done(package: DevicePackage) -> Emulation:
    return emulate(package, load_board("nrf52840"), enroll=ENROLL, verify=VERIFY)


@pytest.fixture(scope="module")
def device(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedDevice]:
    folder = tmp_path_factory.mktemp("device")
    source = artifact_source(tiny_artifact, folder / "code")
    return EmulatedDevice(tiny_artifact, source, board=load_board("mps2-an386"), folder=folder)


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


def test_an_interpreter_s_package_runs_as_generated_code(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    interpreted = write_package(tiny_artifact, load_target("tflite-micro"), tmp_path / "tflm")
    emulated = emulate(interpreted, load_board("mps2-an386"), enroll=ENROLL[:1], verify=VERIFY[:1])
    assert emulated.bit_exact and emulated.plan == "streaming"


def test_any_net_s_package_runs_its_golden_vectors(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    (tmp_path / "any.tflite").write_bytes(tiny_artifact.model)
    net = read_net_only(tmp_path / "any.tflite")
    generated = generate_net_only(net, DEFAULT_CODE)
    vectors = make_net_only_vectors(net, generated)
    bare = write_net_only_package(net, load_target("cortex-m"), tmp_path / "bare", vectors=vectors, code=DEFAULT_CODE)
    emulated = emulate(bare, load_board("mps3-an547"))
    assert emulated.bit_exact and len(emulated.differences) == len(vectors)
    assert emulated.instructions["inference"] == pytest.approx(
        sum(operator.instructions for operator in emulated.operators), rel=0.1
    )
    with pytest.raises(UsageError, match="takes no recordings"):
        emulate(bare, load_board("mps3-an547"), enroll=ENROLL)


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
def test_what_does_not_fit_is_refused(package: DevicePackage, limits: dict[str, int], said: str) -> None:
    with pytest.raises(DoesNotFit, match=said):
        emulate(package, _smaller("nrf52840", **limits))


def test_silence_is_not_enrolled(package: DevicePackage) -> None:
    silence = np.zeros(RATE, np.int16)
    with pytest.raises(DataError, match=r"does not enroll silence\n(.|\n)*silent"):
        emulate(package, load_board("mps2-an386"), enroll=[("silence", silence)])


def test_a_silent_recording_is_not_verified_and_the_others_are(package: DevicePackage) -> None:
    silence = ("silence", np.zeros(RATE, np.int16))
    refused, heard = emulate(package, load_board("mps2-an386"), enroll=ENROLL[:1], verify=[silence, VERIFY[0]]).verified
    assert refused.refused is not None and "silent" in refused.refused and not refused.accepted
    assert heard.refused is None and heard.score is not None


def test_embeddings_are_those_of_the_same_code_on_this_computer(tiny_artifact: ModelArtifact) -> None:
    emulated, compiled = (artifact_embedder(tiny_artifact, runtime=runtime) for runtime in ("emulator", "c"))
    pcm = VERIFY[1][1]
    np.testing.assert_array_equal(emulated.embed(pcm).view(np.int32), compiled.embed(pcm).view(np.int32))


def test_command_prints_what_it_promises(package: DevicePackage, tmp_path: Path) -> None:
    import soundfile

    paths = [tmp_path / f"{name}.wav" for name, _ in (*ENROLL[:1], *VERIFY[:1])]
    for path, (_, pcm) in zip(paths, (*ENROLL[:1], *VERIFY[:1]), strict=True):
        soundfile.write(path, pcm, RATE)
    options = ["--enroll", str(paths[0]), "--verify", str(paths[1]), "--board", "nrf52840"]
    result = CliRunner().invoke(app, ["emulate", str(package.path), *options, "--json"])
    document = json.loads(result.stdout)
    assert document["bit_exact"] is True and document["board"] == "nrf52840"
    assert isinstance(document["accepted"], bool) and isinstance(document["score"], float)
    assert set(document["instructions"]) == {"features", "inference", "total"}
    assert all(document[f"{name}_bytes"] > 0 for name in ("flash", "ram", "stack"))
    for_part = write_package(package.artifact, load_target("nrf52840"), tmp_path / "for nrf52840")
    table = CliRunner().invoke(app, ["emulate", str(for_part.path)]).stdout
    assert "Nordic nRF52840" in table, "the board that the package is for"
    assert "instructions per second of speech" in table and "cycles" not in table.replace("per cycle", "")


@pytest.mark.parametrize(("clock_hz", "slow"), [(1_000_000, True), (400_000_000, False)])
def test_a_board_that_cannot_keep_up_with_speech_is_named(
    package: DevicePackage, tmp_path: Path, clock_hz: int, slow: bool
) -> None:
    board = tmp_path / "watch" / "target.toml"
    board.parent.mkdir()
    words = {"description": "a board", "package": "cortex-m", "converter": "tflite", "cpu": "cortex-m4"}
    lines = [f'{key} = "{value}"' for key, value in {**words, "emulator": "mps2-an386"}.items()]
    board.write_text("\n".join([*lines, f"clock_hz = {clock_hz}", "fpu = true\n"]))
    told = CliRunner().invoke(app, ["emulate", str(package.path), "--board", str(board)]).stderr
    assert ("slower than real time: a second of speech takes 'watch' about" in told) == slow


def test_command_s_errors(package: DevicePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["emulate", *arguments])
        assert result.exception is not None
        return f"{getattr(result.exception, 'exit_code', None)} {result.exception}"

    assert fails(str(package.path), "--board", "mps2-an368").startswith("2 unknown target")
    assert fails(str(tmp_path)).startswith("3 ")
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    assert fails(str(package.path)).startswith("6 arm-none-eabi-gcc is needed")
