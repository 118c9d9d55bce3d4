"""Record from the default microphone; the only file that knows the optional `sounddevice`."""

from __future__ import annotations

import numpy as np

from edge_sv.errors import DataError, ToolMissing, UsageError
from edge_sv.system.array_types import Int16

MAX_SECONDS = 60.0


def record(seconds: float, *, sample_rate: int = 16000) -> Int16:
    """Record from the default input, blocking until done.

    Args:
        seconds: how long, up to `MAX_SECONDS`.
        sample_rate: Hz.

    Returns:
        (round(seconds * sample_rate),) int16, mono.

    Raises:
        UsageError: an impossible length.
        ToolMissing: sounddevice, or the PortAudio library below it, is not installed.
        DataError: there is no microphone, or it cannot be opened.
    """
    check_seconds(seconds)
    try:
        import sounddevice
    except ImportError as error:
        raise ToolMissing("recording needs the package sounddevice", hint="pip install sounddevice") from error
    except OSError as error:
        raise ToolMissing(
            "recording needs the PortAudio library", details={"got": str(error)}, hint="apt-get install libportaudio2"
        ) from error
    try:
        samples = sounddevice.rec(
            round(seconds * sample_rate), samplerate=sample_rate, channels=1, dtype="int16", blocking=True
        )
    except sounddevice.PortAudioError as error:
        raise DataError(
            "cannot record from the microphone",
            details={"got": str(error)},
            hint="list the inputs with `python -m sounddevice`",
        ) from error
    return np.asarray(samples, np.int16).reshape(-1)


def check_seconds(seconds: float) -> None:
    """Refuse a length that cannot be recorded.

    Raises:
        UsageError: it is not above 0 and up to `MAX_SECONDS`.
    """
    if not 0 < seconds <= MAX_SECONDS:
        raise UsageError(f"cannot record {seconds:g} s", hint=f"choose more than 0 and at most {MAX_SECONDS:g} s")
