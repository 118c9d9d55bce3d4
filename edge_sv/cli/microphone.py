"""Ask for speech and record it, for the commands with ``--mic``."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_sv.audio.microphone import check_seconds, record
from edge_sv.audio.recording import check_speech
from edge_sv.cli.output import err_console
from edge_sv.system.array_types import Int16

MicOption = Annotated[
    float | None,
    typer.Option("--mic", metavar="SECONDS", help="Record this long from the microphone (needs sounddevice)."),
]


def listen(seconds: float, *, times: int = 1, sample_rate: int = 16000) -> list[Int16]:
    """Record `times` recordings of `seconds`, telling on stderr when to speak.

    Raises:
        UsageError: an impossible length.
        ToolMissing: sounddevice is not installed.
        DataError: there is no microphone, or a recording holds no usable speech.
    """
    check_seconds(seconds)
    console = err_console()
    recordings = []
    for number in range(1, times + 1):
        name = f"recording {number} of {times}"
        console.print(f"{name}: please speak for {seconds:g} s ...")
        recordings.append(record(seconds, sample_rate=sample_rate))
        check_speech(recordings[-1], sample_rate=sample_rate, name=name)
    return recordings
