"""``edge-sv verify``: compare a recording with a voice print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_sv.audio.recording import read_speech
from edge_sv.cli.choices import parse_choice
from edge_sv.cli.microphone import MicOption, listen
from edge_sv.cli.output import JsonOption, print_json, print_rows
from edge_sv.errors import UsageError
from edge_sv.scoring.scores import Scoring, ScoringKind
from edge_sv.verification.verifier import Decision, Verifier, open_verifier
from edge_sv.verification.voice_print import load_print

REJECTED = 10
"""Exit code of a recording that is not the enrolled voice."""


def command(
    print_file: Annotated[Path, typer.Argument(metavar="PRINT", help="The voice print.")],
    recording: Annotated[
        Path | None, typer.Argument(metavar="RECORDING", help="wav, flac, ogg or opus.", show_default=False)
    ] = None,
    model: Annotated[str, typer.Option(help="The model that made the print.")] = "resnet-nano",
    runtime: Annotated[str | None, typer.Option(help="tflite (default), tflm, c or keras.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Accept from this score on, not from the model's.")] = None,
    scoring: Annotated[
        str | None, typer.Option(help="cosine or as_norm; default: the model's own.", show_default=False)
    ] = None,
    mic: MicOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a recording with a voice print. Exit code 0: accepted, 10: rejected.

    The threshold comes with the model: set on a development list at a stated false-accept rate.

    \b
    Examples:
      edge-sv verify ada.print who.wav
      edge-sv verify ada.print who.wav --threshold 0.6 --json
      edge-sv verify ada.print who.wav --scoring as_norm --threshold 3.5
      sox who.mp3 -t wav - | edge-sv verify ada.print -
      edge-sv verify ada.print --mic 5
    """
    if (recording is None) == (mic is None):
        raise UsageError("verify takes one recording", hint="give a file, or --mic SECONDS")
    voice_print = load_print(print_file)
    kind = parse_choice("scoring", scoring, ScoringKind)
    verifier = open_verifier(model, runtime=runtime, threshold=threshold, scoring=kind)
    rate = verifier.embedder.features.sample_rate
    if recording is not None:
        pcm = read_speech([recording], sample_rate=rate)
    elif mic is not None:
        (pcm,) = listen(mic, sample_rate=rate)
    decision = verifier.verify(voice_print, pcm)
    if json:
        print_json(_document(decision, verifier, print_file=print_file, recording=recording))
    else:
        print_rows(
            [
                ("score", f"{decision.score:.3f}"),
                ("threshold", f"{decision.threshold:.3f}{_origin(verifier.scoring)}"),
                ("decision", "accepted" if decision.accepted else "rejected"),
            ]
        )
    if not decision.accepted:
        raise typer.Exit(REJECTED)


def _document(
    decision: Decision, verifier: Verifier, *, print_file: Path, recording: Path | None
) -> dict[str, str | float | bool | None]:
    scoring = verifier.scoring
    return {
        "accepted": decision.accepted,
        "score": decision.score,
        "threshold": decision.threshold,
        "scoring": scoring.kind if scoring else None,
        "false_accept_rate": scoring.false_accept_rate if scoring else None,
        "print": str(print_file),
        "recording": str(recording) if recording else None,
        "model_sha256": verifier.embedder.model_sha256,
    }


def _origin(scoring: Scoring | None) -> str:
    if scoring is None or scoring.false_accept_rate is None:
        return ""
    return f" (false-accept rate {scoring.false_accept_rate:.1%} on the development list)"
