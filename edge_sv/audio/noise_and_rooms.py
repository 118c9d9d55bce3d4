"""What the world does to a recording: noise and rooms, for augmentation in training and noisy copies in evaluation.

int16 in and int16 out. Headroom: a result that would leave the int16 range is scaled down as a whole, so
nothing is clipped and the signal-to-noise ratio holds; a result that fits keeps its level.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sv.system.array_types import Int16

_PEAK = 32767.0


def add_noise(pcm: Int16, noise: Int16, snr_db: float) -> Int16:
    """Add noise at a signal-to-noise ratio.

    The ratio is that of the mean powers, over the whole recording and over the noise that is added (means removed, so
    an offset counts on neither side). Noise that is shorter than the recording is repeated from its start.

    Args:
        pcm: (num_samples,) int16 speech.
        noise: (any > 0,) int16; roll it first to start elsewhere.
        snr_db: speech over noise, dB.

    Returns:
        (num_samples,) int16; `pcm` unchanged when either of the two is silent.

    Raises:
        ValueError: there is no noise sample.
    """
    if len(noise) == 0:
        raise ValueError("noise has no samples")
    speech, added = pcm.astype(np.float32), np.resize(noise, len(pcm)).astype(np.float32)
    if len(pcm) == 0 or speech.std() == 0 or added.std() == 0:
        return pcm
    gain = speech.std() / added.std() * 10 ** (-snr_db / 20)
    return _to_int16(speech + gain * (added - added.mean()))


def reverberate(pcm: Int16, rir: Int16) -> Int16:
    """Put a recording into a room: convolve it with the room's impulse response.

    The response's strongest sample is taken as the direct path and kept in its place, so speech does not move; the tail
    after the recording's end is dropped. The result has the recording's RMS level.

    Args:
        pcm: (num_samples,) int16 speech.
        rir: (any > 0,) int16 room impulse response at the same sample rate.

    Returns:
        (num_samples,) int16; `pcm` unchanged when it or the response is silent.

    Raises:
        ValueError: the response has no sample.
    """
    if len(rir) == 0:
        raise ValueError("room impulse response has no samples")
    direct = int(np.argmax(np.abs(rir.astype(np.int32))))
    if len(pcm) == 0 or not pcm.any() or not rir.any():
        return pcm
    from scipy.signal import oaconvolve  # here, because most commands never need scipy and it loads in half a second

    speech = pcm.astype(np.float32)
    wet = oaconvolve(speech, rir.astype(np.float32))[direct : direct + len(pcm)]
    return _to_int16(wet * (_rms(speech) / max(_rms(wet), 1e-12)))


def degrade(pcm: Int16, noise: Int16, rir: Int16 | None, snr_db: float) -> Int16:
    """Reverberate a recording, when a room is given, then add noise; see `reverberate` and `add_noise`."""
    return add_noise(pcm if rir is None else reverberate(pcm, rir), noise, snr_db)


def _rms(signal: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def _to_int16(signal: npt.NDArray[np.floating]) -> Int16:
    peak = float(np.abs(signal).max())
    scaled: Int16 = np.rint(signal * min(1.0, _PEAK / max(peak, 1.0))).astype(np.int16)
    return scaled
