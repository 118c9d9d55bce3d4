"""``edge-sv enroll``: make a voice print from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_sv.audio.recording import read_speech
from edge_sv.cli.microphone import MicOption, listen
from edge_sv.cli.output import JsonOption, print_json, print_rows
from edge_sv.errors import UsageError
from edge_sv.verification.verifier import open_verifier
from edge_sv.verification.voice_print import load_print, locked_print, save_print


def command(
    print_file: Annotated[Path, typer.Argument(metavar="PRINT", help="The voice print to write.")],
    recordings: Annotated[
        list[Path] | None, typer.Argument(metavar="RECORDING...", help="wav, flac, ogg or opus; three or more.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A bundled net, or a model's or package's folder or file.")
    ] = "resnet-nano",
    runtime: Annotated[str | None, typer.Option(help="tflite (default), tflm, c or keras.")] = None,
    name: Annotated[str | None, typer.Option(help="Whose voice it is, to be written into the print.")] = None,
    add: Annotated[bool, typer.Option("--add", help="Go on from the existing print.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing print.")] = False,
    mic: MicOption = None,
    takes: Annotated[int, typer.Option(min=1, max=20, help="Recordings that --mic makes.")] = 3,
    json: JsonOption = False,
) -> None:
    """Make a voice print from recordings of one speaker.

    The print is the mean of the recordings' length-normalized embeddings. It belongs to the model that made it, only
    its owner can read it, and it is written as a whole or not at all.

    \b
    Examples:
      edge-sv enroll ada.print ada_1.wav ada_2.wav ada_3.wav
      edge-sv enroll ada.print later.wav --add
      edge-sv enroll ada.print --mic 5
    """
    _check_place(print_file, add=add, force=force)
    if not recordings and mic is None:
        raise UsageError("nothing to enroll", hint="give recordings, or --mic SECONDS")
    if add:
        load_print(print_file)  # what is wrong with it is told before anybody speaks
    verifier = open_verifier(model, runtime=runtime)
    rate = verifier.embedder.features.sample_rate
    voices = [read_speech([path], sample_rate=rate) for path in recordings or []]
    voices += listen(mic, times=takes, sample_rate=rate) if mic is not None else []
    with locked_print(print_file):
        _check_place(print_file, add=add, force=force)  # another process may have been here since
        earlier = load_print(print_file) if add else None
        voice_print = verifier.enroll(voices, add_to=earlier, name=name)
        save_print(print_file, voice_print)
    if json:
        print_json(
            {
                "print": str(print_file),
                "name": voice_print.name,
                "recordings": voice_print.recordings,
                "added": len(voices),
                "model": model,
                "model_sha256": voice_print.model_sha256,
            }
        )
        return
    added = f" ({len(voices)} added)" if add else ""
    print_rows(
        [
            ("print", str(print_file)),
            *([("name", voice_print.name)] if voice_print.name else []),
            ("recordings", f"{voice_print.recordings}{added}"),
            ("model", f"{model} (sha256 {voice_print.model_sha256[:12]})"),
        ]
    )


def _check_place(print_file: Path, *, add: bool, force: bool) -> None:
    if add and force:
        raise UsageError("--add goes on from the print and --force replaces it", hint="choose one of them")
    if print_file.exists() and not add and not force:
        raise UsageError(f"{print_file} exists", hint="--add to go on from it, --force to replace it, or another place")
