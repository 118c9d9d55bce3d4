"""Recordings: any sound file in, int16 mono PCM at the model's sample rate out, or the reason why not.

What cannot be used is refused here, once, so that everything after works on sound PCM: `read_recording` refuses
what is not a whole sound file, `check_speech` what holds no usable speech.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from edge_sv.audio.pipe import is_pipe, read_pipe
from edge_sv.errors import DataError, reason_of
from edge_sv.system.array_types import Float32, Int16

MIN_SAMPLE_RATE = 4000
"""Hz. Below it the bands that tell speakers apart are not in the file."""

MAX_HOURS = 2
"""Of a recording: what is longer is cut first, so that memory stays bounded, whatever a small file unpacks to."""

MIN_SPEECH_SECONDS = 0.5
"""Seconds of speech that an embedding needs at least."""

SPEECH_RANGE_DB = 30.0
"""A frame counts as speech when its level is at most this far below the recording's loud level."""

SPEECH_FLOOR_DBFS = -65.0
"""A frame below this level never counts as speech: speech with peaks down to about -50 dBFS is accepted."""

MAX_CLIPPED_SHARE = 0.1
"""A recording with a larger share of its samples at full scale is refused. Speech whose peaks are 12 dB too loud for
the converter reaches this; the worst of our test recordings has 0.005."""

_FRAME_SECONDS = 0.025
_LOUD_SECONDS = 0.1
_BLOCK_SAMPLES = 1 << 20
_BLOCK_FRAMES = 4096
_SPEECH_BAND_HZ = (200.0, 4000.0)
_UNKNOWN_WAV_SIZE = 0x7FFFF000  # programs that write to a pipe put 0 or something from here to 0xFFFFFFFF


def read_recording(path: Path | str, *, sample_rate: int = 16000) -> Int16:
    """Read a wav, flac, ogg or opus file, mix its channels to one and resample it.

    Args:
        path: the file.
        sample_rate: Hz, of the result.

    Returns:
        (num_samples,) int16; float samples beyond full scale saturate.

    Raises:
        DataError: the file is missing, empty, not audio, cut off, without samples, below `MIN_SAMPLE_RATE`, longer
            than `MAX_HOURS`, or holds NaN or infinite samples.
    """
    path = Path(path)
    try:
        with soundfile.SoundFile(_source(path)) as sound:
            return _read_sound(sound, path, sample_rate)
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error.error_string) from error
    except TypeError as error:  # soundfile's answer to a file without a header
        raise DataError(
            f"{path} has no header that tells its sample rate and format",
            details={"got": "raw samples"},
            hint="sox -r 16000 -e signed -b 16 -c 1 A.raw A.wav makes a wav file of them",
        ) from error
    except OSError as error:
        raise DataError(
            f"cannot read {path}",
            details={"got": reason_of(error)},
            hint="name a wav, flac, ogg or opus file that you may read",
        ) from error


def to_int16(samples: Float32) -> Int16:
    """Convert samples in [-1, 1) to int16: to the nearest, saturating at full scale; same shape."""
    with np.errstate(over="ignore"):  # infinite is beyond full scale, too
        scaled = samples * np.float32(32768)
    return np.clip(np.rint(scaled, out=scaled), -32768, 32767, out=scaled).astype(np.int16)


def join(recordings: Sequence[Int16]) -> Int16:
    """Put recordings one after the other, (sum of num_samples,); none give (0,)."""
    return np.concatenate([np.zeros(0, np.int16), *recordings])


def read_speech(paths: Sequence[Path], *, sample_rate: int = 16000) -> Int16:
    """Read the files of one utterance, join them, and check that they hold speech.

    Raises:
        DataError: see `read_recording` and `check_speech`.
    """
    pcm = join([read_recording(path, sample_rate=sample_rate) for path in paths])
    check_speech(pcm, sample_rate=sample_rate, name=" + ".join(str(path) for path in paths))
    return pcm


def check_speech(pcm: Int16, *, sample_rate: int = 16000, name: str = "recording") -> None:
    """Refuse a recording without enough usable speech.

    This looks at levels alone (see `speech_seconds`): music passes, and so does any loud noise. A mains hum is silence
    up to about -25 dBFS.

    Args:
        pcm: (num_samples,) int16.
        sample_rate: Hz.
        name: how the error calls it, usually its path.

    Raises:
        DataError: silent, less than `MIN_SPEECH_SECONDS` of speech, or clipped beyond `MAX_CLIPPED_SHARE`.
    """
    peak = peak_dbfs(pcm)
    speech = speech_seconds(pcm, sample_rate=sample_rate)
    length = len(pcm) / sample_rate
    if length >= MIN_SPEECH_SECONDS and speech == 0:
        raise DataError(
            f"{name} is silent",
            details={"got": f"peak {peak:.0f} dBFS, no frame above {SPEECH_FLOOR_DBFS:.0f} dBFS in {length:.2f} s"},
            hint="check the microphone and its gain, and record again",
        )
    if speech < MIN_SPEECH_SECONDS:
        raise DataError(
            f"{name} is too short",
            details={"got": f"{speech:.2f} s of speech in {length:.2f} s; need {MIN_SPEECH_SECONDS:.1f} s"},
            hint="record a longer sentence, or pass several recordings",
        )
    clipped = clipped_share(pcm)
    if clipped > MAX_CLIPPED_SHARE:
        raise DataError(
            f"{name} is clipped",
            details={"got": f"{clipped:.0%} of the samples at full scale; at most {MAX_CLIPPED_SHARE:.0%} can be used"},
            hint="lower the microphone's gain, and record again",
        )


def speech_seconds(pcm: Int16, *, sample_rate: int = 16000) -> float:
    """Measure how long a recording speaks, by an energy gate.

    A frame of 25 ms is speech when its level between 200 Hz and 4 kHz (so a mains hum or an offset counts little) is
    within `SPEECH_RANGE_DB` of the loud level and not below `SPEECH_FLOOR_DBFS`. The loud level is what the loudest
    0.1 s reach: a click does not set it, and a short sentence in a long recording does.

    Args:
        pcm: (num_samples,) int16.
        sample_rate: Hz.

    Returns:
        Seconds, a multiple of 0.025.
    """
    levels = np.sort(_frame_levels(pcm, sample_rate))[::-1]
    if len(levels) == 0:
        return 0.0
    loud = levels[min(len(levels), round(_LOUD_SECONDS / _FRAME_SECONDS)) - 1]
    gate = max(loud - SPEECH_RANGE_DB, SPEECH_FLOOR_DBFS)
    return float(np.count_nonzero(levels >= gate) * _FRAME_SECONDS)


def peak_dbfs(pcm: Int16) -> float:
    """Return the largest sample's level in dB below full scale; -inf for digital silence or no sample."""
    peak = max(-int(pcm.min(initial=0)), int(pcm.max(initial=0)))
    return float(20 * np.log10(peak / 32768)) if peak else -np.inf


def clipped_share(pcm: Int16) -> float:
    """Return the share of samples at full scale (-32768 or 32767)."""
    return float(np.mean((pcm == -32768) | (pcm == 32767))) if len(pcm) else 0.0


def _frame_levels(pcm: Int16, sample_rate: int) -> Float32:
    """Return the speech band's level of each 25 ms frame in dBFS (a full-scale sine: -3), (num_frames,)."""
    length = round(_FRAME_SECONDS * sample_rate)
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    frames = pcm[: len(pcm) // length * length].reshape(-1, length)
    hertz = np.fft.rfftfreq(length, 1 / sample_rate)
    band = (hertz >= _SPEECH_BAND_HZ[0]) & (hertz <= _SPEECH_BAND_HZ[1])
    levels = np.empty(len(frames), np.float32)
    for start in range(0, len(frames), _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        spectrum = np.fft.rfft(frames[block].astype(np.float32) / 32768 * window)
        power = 2 * np.sum(np.abs(spectrum[:, band]) ** 2, axis=1) / (length * np.sum(window**2))
        levels[block] = 10 * np.log10(np.maximum(power, 1e-12))
    return levels


def _read_sound(sound: soundfile.SoundFile, path: Path, sample_rate: int) -> Int16:
    """Read block by block: a small file may hold many hours, and a damaged header may promise any number of samples."""
    rate, block_frames = int(sound.samplerate), max(1, _BLOCK_SAMPLES // sound.channels)
    converted = _Converter(rate, sample_rate)
    count = bad = 0
    while len(block := sound.read(block_frames, dtype="float32", always_2d=True)):
        count += len(block)
        if count > MAX_HOURS * 3600 * rate:
            raise DataError(
                f"{path} is too long",
                details={"got": f"more than {MAX_HOURS} hours"},
                hint="cut it into parts",
            )
        bad += int(np.count_nonzero(~np.isfinite(block)))
        if not bad:
            converted.add(block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32))
    if count == 0:
        raise DataError(f"{path} holds no samples", hint="record it again")
    if rate < MIN_SAMPLE_RATE:
        raise DataError(
            f"{path} has too low a sample rate",
            details={"got": f"{rate} Hz; need at least {MIN_SAMPLE_RATE} Hz"},
            hint="record at 16 kHz",
        )
    if bad:
        raise DataError(
            f"{path} holds samples that are not numbers",
            details={"got": f"{bad} of {count * sound.channels} samples are NaN or infinite"},
            hint="export the recording again, as 16-bit wav",
        )
    return converted.result()


class _Converter:
    """Turns float samples of one rate into int16 of another, as they come; the same bits as all at once."""

    def __init__(self, rate: int, wanted: int) -> None:
        same = rate == wanted or rate < MIN_SAMPLE_RATE
        self._stream = None if same else soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
        self._parts: list[Int16] = []

    def add(self, samples: Float32, *, last: bool = False) -> None:
        """Take the next samples, (num_samples,)."""
        if self._stream is not None:
            samples = np.asarray(self._stream.resample_chunk(samples, last=last), np.float32)
        self._parts.append(to_int16(samples))

    def result(self) -> Int16:
        """Return all that was converted; there is no more to come."""
        self.add(np.zeros(0, np.float32), last=True)
        return join(self._parts)


def _source(path: Path) -> bytes | BinaryIO:
    """Return what to decode, a file's name as bytes (it need not be UTF-8): a wav file once it is known to be whole."""
    if is_pipe(path):
        return _whole_source(path, io.BytesIO(read_pipe(path)))
    with path.open("rb") as stream:
        whole = _whole_source(path, stream)
    return os.fsencode(path) if whole is stream else whole


def _not_audio(path: Path, reason: str) -> DataError:
    if path.is_file() and path.stat().st_size == 0:
        return DataError(f"{path} is empty", details={"got": "0 bytes"}, hint="record or copy it again")
    return DataError(
        f"{path} is not a readable sound file",
        details={"got": reason.removeprefix("Error : ")},
        hint="wav, flac, ogg and opus can be read; convert other formats first, for instance with ffmpeg",
    )


@dataclass(frozen=True)
class _WavHeader:
    """Where a wav file's `data` chunk is, and how large its header says it is (bytes; None: not said)."""

    order: str
    start: int
    size: int | None
    byte_rate: int


def _whole_source(path: Path, stream: BinaryIO) -> BinaryIO:
    """Return what to decode: the stream, once its `data` chunk is known to be all there when it is a wav file.

    libsndfile would read what is left of a wav file that was cut off, and nothing of one whose recorder never came back
    to write the sizes, both without a word. The first is refused here, the second gets its sizes in a copy.
    """
    header = _read_wav_header(stream)
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if header is None:
        return stream
    found = size - header.start
    if header.size is None and found <= 0xFFFFFFFF - header.start:
        content = bytearray(stream.read())
        content[4:8] = struct.pack(header.order + "I", len(content) - 8)
        content[header.start - 4 : header.start] = struct.pack(header.order + "I", found)
        return io.BytesIO(content)
    if header.size is not None and found < header.size:
        unit, scale = ("s", header.byte_rate) if header.byte_rate else ("bytes", 1)
        raise DataError(
            f"{path} is cut off",
            details={"got": f"{found / scale:.2f} of {header.size / scale:.2f} {unit}"},
            hint="copy or record it again",
        )
    return stream


def _read_wav_header(stream: BinaryIO) -> _WavHeader | None:
    """Read the chunks of a wav file up to its `data`; None when it is no wav file or has no `data`.

    Source: IBM and Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (RIFF, and RIFX with the
    other byte order); ITU-R BS.2088 (RF64 and BW64, whose `ds64` chunk holds the long sizes).
    """
    kind, form = struct.unpack("<4s4x4s", stream.read(12).ljust(12, b"\0"))
    if kind not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or form != b"WAVE":
        return None
    order = ">" if kind == b"RIFX" else "<"
    byte_rate, long_size = 0, None
    while len(head := stream.read(8)) == 8:
        name, size = struct.unpack(order + "4sI", head)
        start = stream.tell()
        if name == b"data":
            unknown = size == 0 or size >= _UNKNOWN_WAV_SIZE
            return _WavHeader(order, start, long_size if unknown else size, byte_rate)
        body = stream.read(16).ljust(16, b"\0") if name in (b"fmt ", b"ds64") else b""
        if name == b"fmt ":
            (byte_rate,) = struct.unpack(order + "8xI4x", body)
        elif name == b"ds64":
            (long_size,) = struct.unpack(order + "8xQ", body)
        stream.seek(start + size + size % 2)
    return None
