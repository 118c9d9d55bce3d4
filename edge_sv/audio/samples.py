"""Sound as people have it in Python: a file, samples as int16, or samples as floats in [-1, 1]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from edge_sv.audio.recording import read_recording, to_int16
from edge_sv.errors import DataError, UsageError
from edge_sv.system.array_types import Float32, Int16

Audio = str | Path | npt.NDArray[Any]
"""A sound file's path, or an array: see `as_pcm`."""


def as_pcm(audio: Audio, *, sample_rate: int = 16000, source_rate: int | None = None) -> Int16:
    """Return a recording as a net's front end takes it.

    Args:
        audio: a path, read and resampled; (num_samples,) int16; or (num_samples,) float32 or float64 in [-1, 1].
        sample_rate: Hz, wanted.
        source_rate: Hz of an array; None: it has the wanted one.

    Returns:
        (num_samples,) int16.

    Raises:
        UsageError: the array has another shape or type, or floats beyond [-1, 1]; its sample rate is not positive, or
            told of a file.
        DataError: the file cannot be read, or samples are not finite.

    >>> import numpy as np
    >>> as_pcm(np.array([0.0, 0.5, -1.0]))
    array([     0,  16384, -32768], dtype=int16)
    >>> as_pcm(np.array([0, 2], np.int16))
    array([0, 2], dtype=int16)
    """
    if isinstance(audio, str | Path):
        if source_rate is not None:
            raise UsageError("a sound file says its own sample rate", hint="leave out sample_rate for a path")
        return read_recording(Path(audio).expanduser(), sample_rate=sample_rate)
    samples = _check_array(audio)
    if source_rate is not None and source_rate <= 0:
        raise UsageError(f"a sample rate is a positive number of Hz, not {source_rate}")
    if source_rate is None or source_rate == sample_rate:
        return samples if samples.dtype == np.int16 else to_int16(np.array(samples, np.float32))
    floats = samples / np.float32(32768) if samples.dtype == np.int16 else np.asarray(samples, np.float32)
    resampled: Float32 = np.asarray(soxr.resample(floats, source_rate, sample_rate, quality="HQ"), np.float32)
    return to_int16(resampled)


def _check_array(audio: Any) -> npt.NDArray[Any]:
    """Refuse an array that is no recording, in words."""
    if not isinstance(audio, np.ndarray):
        raise UsageError(
            f"a recording is a path or an array of samples, not {type(audio).__name__}",
            hint="give a file's path, or numpy.asarray(samples, numpy.int16)",
        )
    if audio.ndim != 1:
        raise UsageError(
            f"a recording has one axis, (num_samples,); this array has shape {audio.shape}",
            hint="choose one channel: audio[:, 0] or audio[0]",
        )
    if audio.dtype == np.int16:
        return audio
    if audio.dtype not in (np.float32, np.float64):
        raise UsageError(
            f"samples are int16, or floats in [-1, 1]; these are {audio.dtype}",
            hint="audio.astype(numpy.int16) where they are 16-bit numbers",
        )
    if not np.isfinite(audio).all():
        raise DataError("the recording holds samples that are NaN or infinite")
    peak = float(np.abs(audio).max(initial=0.0))
    if peak > 1:
        raise UsageError(
            f"float samples lie in [-1, 1]; the largest here is {peak:g}",
            hint="divide by 32768 where they are 16-bit numbers, or by the peak",
        )
    return audio
