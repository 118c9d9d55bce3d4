"""A speaker package on an emulated board: golden vectors, recordings, decisions, and what they cost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.audio.recording import read_recording
from edge_sv.emulation.board import Board
from edge_sv.emulation.device import EmulatedDevice, Source
from edge_sv.emulation.line_protocol import Exchange, Verified, make_script, read_answers, read_decision, reason
from edge_sv.emulation.reference import Difference, ExpectedDevice, count_differences
from edge_sv.emulation.report import SECOND_OF_SPEECH, Emulation, OperatorCost
from edge_sv.errors import DataError, UsageError
from edge_sv.package import cortex_m
from edge_sv.package.manifest import GeneratedPart
from edge_sv.package.read import DevicePackage
from edge_sv.plugins.generator import DEFAULT_PREFIX, CodeOptions
from edge_sv.system.array_types import Int16
from edge_sv.system.npz import read_array

_VOICE = "voice"

Recordings = Sequence[tuple[str, Int16]]
"""Names and (num_samples,) int16 at the model's sample rate."""


def emulate_speaker(
    package: DevicePackage,
    board: Board,
    *,
    enroll: Recordings,
    verify: Recordings,
    listen: Callable[[str], None],
) -> Emulation:
    """Run a speaker package on an emulated board.

    Its golden vectors always run. Every recording's embedding is compared with this computer's, bit for bit.

    Args:
        package: generated code, or a package of another kind, whose net is then written as code first.
        board: where it runs.
        enroll: recordings of one voice.
        verify: recordings to compare with it.
        listen: called with what is being done.

    Raises:
        UsageError: there is something to verify and nothing to enroll.
        DoesNotFit: the package is larger than the board.
        DataError: it cannot be compiled, or crashed, or refuses to enroll.
        ToolMissing: the compiler or the emulator is not installed.
    """
    artifact = package.artifact
    if verify and not enroll:
        raise UsageError("there is no voice to compare with", hint="--enroll A.wav --enroll B.wav")
    with tempfile.TemporaryDirectory(prefix="edge-sv-emulate-") as name:
        folder = Path(name)
        listen("compile")
        source = speaker_source(package, folder / "code")
        device = EmulatedDevice(artifact, source, board=board, folder=folder)
        golden = _check_golden(package, device, listen)
        listen("enroll and verify")
        verified = _hold_dialogue(device, enroll, verify)
        heard = [recording for recording, decision in zip(verify, verified, strict=True) if decision.refused is None]
        recordings = [*heard, *enroll, *_golden_recordings(package)]
        differences = _check_recordings(artifact, device, recordings, listen)
        listen("count instructions")
        measured, pcm = recordings[0]
        cost = device.measure(pcm)
        operators = _operator_costs(artifact, device.count_operators(pcm), cost.seconds)
    return Emulation(
        board=board,
        package=str(package.path),
        model=artifact.name,
        plan=source.plan,
        differences=(*golden, *differences),
        instructions=cost.per_second(),
        per=SECOND_OF_SPEECH,
        measured=measured,
        code_bytes=device.program.code_bytes,
        flash_bytes=device.program.flash_bytes,
        ram_bytes=device.program.ram_bytes,
        state_bytes=source.state_bytes,
        stack_bytes=device.stack_bytes,
        operators=operators,
        verified=verified,
    )


def speaker_source(package: DevicePackage, folder: Path) -> Source:
    """Return a package's code; that of a package of another kind is generated into `folder` from its model.

    Raises:
        DataError: the model has an operator that cannot be compiled.
    """
    generated = package.manifest.generated
    return package_source(package, generated) if generated else artifact_source(package.artifact, folder)


def package_source(package: DevicePackage, generated: GeneratedPart) -> Source:
    """Return the code that is in a package."""
    return Source(package.path, generated.prefix, generated.plan, package.manifest.sizes.state_bytes or 0)


def artifact_source(artifact: ModelArtifact, folder: Path) -> Source:
    """Write a net as code into a folder."""
    code = CodeOptions()
    net = cortex_m.generate(artifact, code)
    for name, data in cortex_m.source_files(artifact, code).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Source(folder, DEFAULT_PREFIX, net.plan, net.ram_bytes)


def _check_golden(package: DevicePackage, device: EmulatedDevice, listen: Callable[[str], None]) -> list[Difference]:
    found = []
    for golden in package.manifest.golden:
        listen(f"golden vector {golden.name}")
        place = package.path / "golden" / golden.name
        inputs, outputs = (read_array(place / f"{name}.npy", np.int8) for name in ("input", "output"))
        wrong = count_differences(device.run_vectors(inputs), outputs)
        found.append(Difference(f"golden/{golden.name}", frames=0, outputs=wrong, embedding=0))
    return found


def _check_recordings(
    artifact: ModelArtifact, device: EmulatedDevice, recordings: Recordings, listen: Callable[[str], None]
) -> list[Difference]:
    expected = ExpectedDevice(artifact, fixed=not device.board.target.fpu)
    found = []
    for name, pcm in recordings:
        listen(f"embed {name}")
        found.append(expected.compare(name, pcm, device.embed(pcm)))
    return found


def _golden_recordings(package: DevicePackage) -> Recordings:
    rate = package.artifact.features.sample_rate
    names = [golden.name for golden in package.manifest.golden]
    return [
        (f"golden/{name}/pcm.wav", read_recording(package.path / "golden" / name / "pcm.wav", sample_rate=rate))
        for name in reversed(names)
    ]


def _hold_dialogue(device: EmulatedDevice, enroll: Recordings, verify: Recordings) -> tuple[Verified, ...]:
    """Enroll and verify by the line protocol."""
    enrolling = [Exchange(name, pcm, f"ENROLL {_VOICE}") for name, pcm in enroll]
    verifying = [Exchange(name, pcm, f"VERIFY {_VOICE}") for name, pcm in verify]
    both = [*enrolling, *verifying]
    answers = read_answers(both, device.talk(make_script(both))) if both else []
    for exchange, answer in zip(enrolling, answers, strict=False):
        if not answer.startswith("OK"):
            raise DataError(f"the device does not enroll {exchange.name}", details={"got": reason(answer)})
    later = answers[len(enrolling) :]
    return tuple(read_decision(exchange.name, answer) for exchange, answer in zip(verifying, later, strict=True))


def _operator_costs(artifact: ModelArtifact, counts: Mapping[int, int], seconds: float) -> tuple[OperatorCost, ...]:
    return tuple(
        OperatorCost(number, layer.name, layer.kind, round(counts.get(number, 0) / seconds), layer.macs)
        for number, layer in enumerate(artifact.layers)
    )
