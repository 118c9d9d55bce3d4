"""The whole path on one page: build a net for a device, enroll a voice with the package, verify others.

All scores come from the built package, run by the interpreter its target runs; the float net scores the same
recordings beside it, which shows what the conversion to int8 changed. Then the package runs on an emulated board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sv.audio.recording import read_speech
from edge_sv.embedders import Embedder, artifact_embedder, open_embedder
from edge_sv.emulation import Emulation, Recordings, check_exact, emulate, load_board, tools_missing
from edge_sv.errors import AccuracyGateFailed, ToolMissing, UsageError
from edge_sv.pipeline.build import build
from edge_sv.pipeline.request import build_request
from edge_sv.pipeline.stage import OnStage
from edge_sv.scoring import speech_sample
from edge_sv.scoring.scores import Scoring
from edge_sv.system.array_types import Int16
from edge_sv.verification.verifier import Decision, Verifier

BUNDLED_SPEAKER = "ada"
BUNDLED_ENROLLMENT = 3
BOARD = "nrf52840"
"""Emulated by default: a Cortex-M4F with the memory of a part that people have."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording and what to call it: pcm (num_samples,) int16."""

    name: str
    pcm: Int16


@dataclass(frozen=True)
class VerifiedRecording:
    """What became of one verified recording.

    Args:
        recording: its name.
        decision: the package's.
        float_score: the float net's score of the same trial; None where there is no float net.
    """

    recording: str
    decision: Decision
    float_score: float | None


@dataclass(frozen=True)
class Demo:
    """What the demo did.

    Args:
        model: name of the net.
        target: what it was built for.
        runtime: the interpreter that ran it here.
        package: the built package's folder or file.
        model_bytes: size of the int8 model.
        arena_bytes: memory that the device reserves for tensors; None where the target does not say.
        scoring: how the package scores, and its threshold.
        enrolled: names of the enrolled recordings.
        verified: the verified recordings.
        cosine_to_float: the least cosine between the package's and the float net's embedding of a recording.
        emulation: the package on an emulated board; None where there was none.
    """

    model: str
    target: str
    runtime: str
    package: Path
    model_bytes: int
    arena_bytes: int | None
    scoring: Scoring
    enrolled: tuple[str, ...]
    verified: tuple[VerifiedRecording, ...]
    cosine_to_float: float | None
    emulation: Emulation | None

    @property
    def largest_score_change(self) -> float | None:
        """Return the largest difference between a score of the package and of the float net."""
        changes = [abs(h.decision.score - h.float_score) for h in self.verified if h.float_score is not None]
        return max(changes, default=None)


def bundled_voices() -> tuple[list[Path], list[Path]]:
    """Return the synthetic voices: the recordings to enroll, all of one speaker, and those to verify.

    Raises:
        DataError: they are not where they belong.
    """
    paths = [path for files in speech_sample.bundled_voices().files.values() for path in files]
    own = [path for path in paths if is_bundled_speaker(path.stem)]
    others = [path for path in paths if path not in own]
    return own[:BUNDLED_ENROLLMENT], [*own[BUNDLED_ENROLLMENT:], *others]


def is_bundled_speaker(recording: str) -> bool:
    """Tell whether a bundled recording is of the speaker that the demo enrolls."""
    return recording.split("_")[0] == BUNDLED_SPEAKER


def read_recordings(paths: Sequence[Path], *, sample_rate: int = 16000) -> list[Recording]:
    """Read recordings, named after their files.

    Raises:
        DataError: one cannot be used.
    """
    return [Recording(path.stem, read_speech([path], sample_rate=sample_rate)) for path in paths]


def run_demo(
    model: str,
    *,
    enroll: Sequence[Recording],
    verify: Sequence[Recording],
    target: str = "tflite-micro",
    out: Path | None = None,
    board: str | None = BOARD,
    on_stage: OnStage | None = None,
) -> Demo:
    """Build a package, enroll with it and verify with it.

    Args:
        model: a bundled net's name, or a path.
        enroll: recordings of one speaker.
        verify: recordings to compare with that voice.
        target: what to build for.
        out: where the package goes; None: see `build`.
        board: where to emulate it; None: nowhere. Where the tools for that are missing, nothing is emulated.
        on_stage: called after each stage of the build.

    Raises:
        UsageError: unknown model or target, nothing to enroll, or the model carries no threshold.
        DataError: the model or a recording cannot be used, or the package cannot be written.
        DoesNotFit: the model is too large for the target.
        AccuracyGateFailed: the converted model does not compute what its source computes.
        ToolMissing: the target's interpreter is not installed.
    """
    place = load_board(board) if board is not None and not tools_missing() else None
    package = build(build_request(model, target=target, out=out), on_stage=on_stage).package
    runtime = "tflm" if package.arena_bytes is not None else "tflite"
    artifact = package.artifact
    if artifact.scoring is None:
        raise UsageError(f"model '{model}' carries no threshold", hint="choose another model")
    device = Verifier(artifact_embedder(artifact, runtime=runtime), artifact.scoring, artifact.cohort)
    net = _float_net(model)
    beside = Verifier(net, artifact.scoring, artifact.cohort) if net else None
    return Demo(
        model=artifact.name,
        target=package.manifest.target.name,
        runtime=runtime,
        package=package.path,
        model_bytes=len(artifact.model),
        arena_bytes=package.arena_bytes,
        scoring=artifact.scoring,
        enrolled=tuple(recording.name for recording in enroll),
        verified=_verify_all(device, beside, enroll, verify),
        cosine_to_float=_least_cosine(device.embedder, net, [*enroll, *verify]) if net else None,
        emulation=emulate(package, place, enroll=_named(enroll), verify=_named(verify)) if place else None,
    )


def check_bundled(demo: Demo) -> None:
    """Check the decisions about the bundled voices, whose speakers are known, and the emulated board's arithmetic.

    Raises:
        AccuracyGateFailed: one is wrong.
    """
    wrong = [h.recording for h in demo.verified if h.decision.accepted != is_bundled_speaker(h.recording)]
    if demo.emulation is not None:
        check_exact(demo.emulation)
        verified = demo.emulation.verified
        wrong += [f"{v.recording} (board)" for v in verified if v.accepted != is_bundled_speaker(v.recording)]
    if wrong:
        raise AccuracyGateFailed(
            f"'{demo.model}' decided wrongly about {', '.join(wrong)}", hint="use another net, or another threshold"
        )


def _named(recordings: Sequence[Recording]) -> Recordings:
    return [(recording.name, recording.pcm) for recording in recordings]


def _verify_all(
    device: Verifier, beside: Verifier | None, enroll: Sequence[Recording], verify: Sequence[Recording]
) -> tuple[VerifiedRecording, ...]:
    """Decide each recording on the device's side, and score it on the float net's."""
    decisions = _decide(device, enroll, verify)
    scores = [decision.score for decision in _decide(beside, enroll, verify)] if beside else [None] * len(verify)
    return tuple(
        VerifiedRecording(recording.name, decision, score)
        for recording, decision, score in zip(verify, decisions, scores, strict=True)
    )


def _decide(verifier: Verifier, enroll: Sequence[Recording], verify: Sequence[Recording]) -> list[Decision]:
    voice_print = verifier.enroll([recording.pcm for recording in enroll])
    return [verifier.verify(voice_print, recording.pcm) for recording in verify]


def _float_net(model: str) -> Embedder | None:
    """Open the float net that the model was converted from, where there is one and TensorFlow to run it."""
    try:
        return open_embedder(model, runtime="keras")
    except (UsageError, ToolMissing):
        return None


def _least_cosine(a: Embedder, b: Embedder, recordings: Sequence[Recording]) -> float:
    return min(float(a.embed(recording.pcm) @ b.embed(recording.pcm)) for recording in recordings)
