"""The last steps of a device's front end in exact arithmetic: the running mean and the net's int8 grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sv.audio.recording import read_recording
from edge_sv.frontend.features import FeatureConfig
from edge_sv.system.array_types import Int8, Int16
from edge_sv.tflite.quantization import TensorFormat
from tests.nets import voices

GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)
START = tuple(np.linspace(-2.0, -7.5, 80))
CASES = {
    "mean_start": (FeatureConfig(mean_start=START), GRID),
    "no start": (FeatureConfig(), GRID),
    "start without weight": (FeatureConfig(mean_start=START, prior_frames=0), GRID),
    "start heavier than the horizon": (FeatureConfig(mean_start=START, prior_frames=50, horizon_frames=30), GRID),
    "horizon of one frame": (FeatureConfig(mean_start=START, horizon_frames=1), GRID),
    "constant mean": (FeatureConfig(mean_start=START, normalization="none"), GRID),
    "another grid": (FeatureConfig(mean_start=START, clip=3.0), TensorFormat((1, 200, 80, 1), 1 / 24, -100)),
}


def signals() -> dict[str, Int16]:
    """A voice, loud and hardly above the rounding of its samples; noise of all loudness; clicks; silence."""
    voice, random = read_recording(voices()[1])[:16000], np.random.default_rng(1)
    return {
        "voice": voice,
        "quiet voice": voice // np.int16(256),
        "loudest noise": random.integers(-32768, 32768, 16000).astype(np.int16),
        "quietest noise": random.integers(-2, 3, 16000, dtype=np.int16),
        "clicks": (np.arange(16000) % 700 == 0).astype(np.int16),
        "silence": np.zeros(16000, np.int16),
    }


def windows_of(pcm: Int16) -> Int16:
    """Cut a recording into windows of the default front end, (num_frames, 400)."""
    return np.lib.stride_tricks.sliding_window_view(pcm, 400)[::160]


def count_wrong(
    frames: Int8, levels: npt.NDArray[np.float64], config: FeatureConfig, grid: TensorFormat, *, doubt: float
) -> int:
    """Count the values of a device's frames that are not the exact ones.

    Args:
        frames: (num_frames, num_mels), what the device computed from the levels.
        levels: (num_frames, num_mels) log-mel values.
        config: the front end.
        grid: the net's input.
        doubt: steps of the grid; an exact value so close to a half may be rounded either way.
    """
    running = config.normalization == "running_mean"
    mean = np.array(config.mean_start or levels[0], np.float64)
    prior = config.prior_frames if config.mean_start else 0
    wrong = 0
    for number, (frame, level) in enumerate(zip(frames, levels, strict=True)):
        if running:
            mean = mean + (level - mean) / min(prior + number + 1, config.horizon_frames)
        exact = np.clip(level - mean, -config.clip, config.clip) / grid.scale + grid.zero_point
        least, most = (np.clip(np.floor(exact + 0.5 + side), -128, 127) for side in (-doubt, doubt))
        wrong += int(np.count_nonzero((frame < least) | (frame > most)))
    return wrong
