"""The front end: int16 PCM in, normalized log-mel frames out. Training, desktop and device all compute this.

Every step works as samples arrive: a frame needs the last `window_ms` of PCM and nothing that comes later,
and the default normalization is a running mean. Options that need the whole recording say so.
"""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError, UsageError
from edge_sv.system.array_types import Float32, Int16

Normalization = Literal["running_mean", "utterance_mean", "none"]

LOG_FLOOR = 1e-9
"""Smallest mel power before the logarithm, for samples in [-1, 1): some 10 dB below the noise of 16-bit rounding."""

_LARGEST_FFT = 1 << 16
_BLOCK_FRAMES = 32  # so few that a block stays in the cache: four times faster than a long recording at once


@dataclass(frozen=True)
class FeatureConfig:
    """What the front end computes.

    Args:
        sample_rate: Hz.
        window_ms: length of the (periodic) Hann window.
        hop_ms: distance between frames.
        fft_size: points of the FFT; the window is padded with zeros to it.
        num_mels: triangular HTK mel bands, each with peak 1, between fmin_hz and fmax_hz.
        fmin_hz: lower edge of the first band.
        fmax_hz: upper edge of the last band.
        normalization: `running_mean` subtracts, band by band, a mean that is known when the frame arrives (see
            `running_mean`); `utterance_mean` subtracts the mean of the whole recording, so it cannot stream;
            `none` subtracts `mean_start`.
        mean_start: (num_mels,) log-mel values where the running mean starts, usually the training set's mean; empty:
            the first frame.
        prior_frames: weight of `mean_start`, in frames.
        horizon_frames: the running mean counts at most this many frames, later it forgets exponentially.
        clip: normalized values are limited to [-clip, clip], which fixes the scale of the int8 input.

    Raises:
        UsageError: a value that no front end can have.
    """

    sample_rate: int = 16000
    window_ms: float = 25.0
    hop_ms: float = 10.0
    fft_size: int = 512
    num_mels: int = 80
    fmin_hz: float = 20.0
    fmax_hz: float = 7600.0
    normalization: Normalization = "running_mean"
    mean_start: tuple[float, ...] = ()
    prior_frames: int = 50
    horizon_frames: int = 300
    clip: float = 6.8

    def __post_init__(self) -> None:
        lengths = (self.sample_rate, self.window_ms, self.hop_ms, self.fmin_hz, self.fmax_hz, self.clip)
        if not all(map(math.isfinite, (*lengths, *self.mean_start))):
            raise UsageError("impossible front end: every value must be finite", details={"got": repr(self)})
        bands_exist = 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate / 2
        problems = {
            "sample_rate must be positive": self.sample_rate <= 0,
            "hop_ms must be at least one sample": self.hop_length < 1,
            "fft_size must be a power of two": self.fft_size < 2 or self.fft_size & (self.fft_size - 1) != 0,
            "the window must fit into fft_size": not 1 <= self.window_length <= self.fft_size,
            f"fft_size may be {_LARGEST_FFT}": self.fft_size > _LARGEST_FFT,
            "num_mels must be at least 1": self.num_mels < 1,
            "num_mels must be at most fft_size": self.num_mels > self.fft_size,
            "need 0 <= fmin_hz < fmax_hz <= sample_rate / 2": not bands_exist,
            f"normalization must be one of {', '.join(get_args(Normalization))}": self.normalization
            not in get_args(Normalization),
            "mean_start needs one value per band": len(self.mean_start) not in (0, self.num_mels),
            "prior_frames must not be negative": self.prior_frames < 0,
            "horizon_frames must be positive": self.horizon_frames < 1,
            "clip must be positive": self.clip <= 0,
        }
        for text, wrong in problems.items():
            if wrong:
                raise UsageError(f"impossible front end: {text}", details={"got": repr(self)})

    @property
    def window_length(self) -> int:
        """Samples in a window."""
        return round(self.sample_rate * self.window_ms / 1000)

    @property
    def hop_length(self) -> int:
        """Samples between frames."""
        return round(self.sample_rate * self.hop_ms / 1000)

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of a recording: whole windows only, nothing is padded."""
        return max(0, 1 + (num_samples - self.window_length) // self.hop_length)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "mean_start": list(self.mean_start)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureConfig:
        """Read what `to_dict` wrote.

        Raises:
            DataError: an unknown or missing field.
        """
        try:
            return cls(**{**values, "mean_start": tuple(float(v) for v in values.get("mean_start", ()))})
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError("unreadable front-end description", details={"got": str(error)}) from error


@functools.lru_cache(maxsize=8)
def hann_window(length: int) -> Float32:
    """Return the periodic Hann window, (length,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def mel_edges(num_mels: int, fmin_hz: float, fmax_hz: float) -> npt.NDArray[np.float64]:
    """Return where the triangles begin, peak and end in Hz, (num_mels + 2,): band i rises from edge i to edge i + 1."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (fmin_hz, fmax_hz))
    return np.asarray(700 * (10 ** (np.linspace(low, high, num_mels + 2) / 2595) - 1))


@functools.lru_cache(maxsize=8)
def mel_filterbank(sample_rate: int, fft_size: int, num_mels: int, fmin_hz: float, fmax_hz: float) -> Float32:
    """Return HTK mel triangles over power-spectrum bins, (fft_size // 2 + 1, num_mels), peaks 1, no area normalization.

    Source: S. Young et al., The HTK Book, section 5.4: mel(f) = 2595 log10(1 + f / 700).
    """
    edges = mel_edges(num_mels, fmin_hz, fmax_hz)
    bins = np.arange(fft_size // 2 + 1) * (sample_rate / fft_size)
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def check_pcm(pcm: Int16) -> None:
    """Refuse what is not (num_samples,) int16: floats in [-1, 1] would all become silence.

    Raises:
        UsageError: an array of another shape or type.
    """
    if pcm.ndim != 1 or pcm.dtype != np.int16:
        raise UsageError(
            f"the front end takes (num_samples,) int16; got {pcm.shape} {pcm.dtype}",
            hint="edge_sv.audio.samples.as_pcm converts floats in [-1, 1]",
        )


def mel_power(pcm: Int16, config: FeatureConfig) -> Float32:
    """Compute the mel power spectrum of a recording.

    Args:
        pcm: (num_samples,) int16 at config.sample_rate.
        config: the front end.

    Returns:
        (num_frames, num_mels); frame t sees samples [t * hop, t * hop + window), scaled to [-1, 1).

    Raises:
        UsageError: an array of another shape or type.
    """
    check_pcm(pcm)
    num_frames = config.num_frames(len(pcm))
    mels = np.empty((num_frames, config.num_mels), np.float32)
    if num_frames == 0:
        return mels
    frames = np.lib.stride_tricks.sliding_window_view(pcm, config.window_length)[:: config.hop_length]
    bank = mel_filterbank(config.sample_rate, config.fft_size, config.num_mels, config.fmin_hz, config.fmax_hz)
    for start in range(0, num_frames, _BLOCK_FRAMES):
        block = slice(start, start + _BLOCK_FRAMES)
        signal = frames[block].astype(np.float32) / 32768.0
        spectrum = np.fft.rfft(signal * hann_window(config.window_length), n=config.fft_size)
        mels[block] = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ bank
    return mels


def log_mel(pcm: Int16, config: FeatureConfig, *, floor: float = LOG_FLOOR) -> Float32:
    """Compute natural-log mel frames before normalization, (num_frames, num_mels)."""
    return np.log(np.maximum(mel_power(pcm, config), np.float32(floor)))


def running_mean(frames: Float32, config: FeatureConfig) -> Float32:
    """Compute the mean that is known when each frame arrives (the frame itself counts).

    m[t] = m[t-1] + (x[t] - m[t-1]) / min(prior_frames + t + 1, horizon_frames),  m[-1] = mean_start,
    so it is the mean of `prior_frames` copies of the start and of all frames so far, until the horizon is
    reached; from there it is an exponential mean. Without a start m[0] = x[0].

    Args:
        frames: (num_frames, num_mels) log-mel values.
        config: the front end.

    Returns:
        (num_frames, num_mels).
    """
    if len(frames) == 0:
        return frames
    prior = config.prior_frames if config.mean_start else 0
    start = np.asarray(config.mean_start, np.float64) if config.mean_start else frames[0].astype(np.float64)
    counted = min(len(frames), max(0, config.horizon_frames - prior))
    means = np.empty(frames.shape, np.float64)
    sums = prior * start + np.cumsum(frames[:counted], axis=0, dtype=np.float64)
    means[:counted] = sums / (prior + np.arange(1, counted + 1))[:, None]
    mean = means[counted - 1] if counted else start
    for t in range(counted, len(frames)):
        mean = mean + (frames[t] - mean) / config.horizon_frames
        means[t] = mean
    return means.astype(np.float32)


def normalize(frames: Float32, config: FeatureConfig) -> Float32:
    """Subtract the configured mean from log-mel frames and limit them to [-clip, clip]; same shape."""
    if config.normalization == "running_mean":
        mean = running_mean(frames, config)
    elif config.normalization == "utterance_mean" and len(frames):
        mean = frames.mean(axis=0, keepdims=True)
    else:
        mean = np.asarray(config.mean_start or np.zeros(config.num_mels), np.float32)
    return np.asarray(np.clip(frames - mean, -config.clip, config.clip), np.float32)


def compute_features(pcm: Int16, config: FeatureConfig) -> Float32:
    """Compute normalized log-mel frames, the net's input.

    Args:
        pcm: (num_samples,) int16 at config.sample_rate.
        config: the front end.

    Returns:
        (num_frames, num_mels) float32 in [-clip, clip].
    """
    return normalize(log_mel(pcm, config), config)
