"""Front ends and signals that try the device's arithmetic at its edges."""

from __future__ import annotations

import numpy as np

from edge_sv.audio.recording import read_recording
from edge_sv.frontend.features import FeatureConfig
from edge_sv.system.array_types import Int16
from edge_sv.tflite.quantization import TensorFormat
from tests.nets import voices

GRID = TensorFormat((1, 200, 80, 1), 6.8 / 127.5, 0)

CONFIGS: dict[str, tuple[FeatureConfig, TensorFormat]] = {
    "default": (FeatureConfig(), GRID),
    "mean_start": (FeatureConfig(num_mels=40, mean_start=tuple(np.linspace(-8, -2, 40))), GRID),
    "long_prior": (FeatureConfig(num_mels=24, mean_start=(-5.0,) * 24, prior_frames=500, horizon_frames=30), GRID),
    "no_mean": (FeatureConfig(num_mels=20, normalization="none", mean_start=(-6.5,) * 20), GRID),
    "clip": (FeatureConfig(num_mels=30, clip=2.0), TensorFormat((1, 1, 1, 1), 0.05, -7)),
    "saturate": (FeatureConfig(num_mels=30, clip=50.0), TensorFormat((1, 1, 1, 1), 0.01, 100)),
    "telephone": (FeatureConfig(sample_rate=8000, fft_size=256, num_mels=32, fmax_hz=3800.0), GRID),
    "odd_window": (FeatureConfig(window_ms=20.0625, hop_ms=7.5625, num_mels=64, fmin_hz=0.0, fmax_hz=8000.0), GRID),
    "long_hop": (FeatureConfig(window_ms=10.0, hop_ms=25.0, fft_size=1024, num_mels=13), GRID),
    "more_bands_than_bins": (FeatureConfig(num_mels=250), GRID),
    "full_window": (FeatureConfig(window_ms=128.0, hop_ms=40.0, fft_size=2048, num_mels=80), GRID),
    "largest": (FeatureConfig(window_ms=255.0, hop_ms=60.0, fft_size=4096, num_mels=40), GRID),
    "smallest": (FeatureConfig(window_ms=1.0, hop_ms=0.5, fft_size=16, num_mels=3), GRID),
}


def voice(seconds: float = 1.5) -> Int16:
    """Return the start of a bundled synthetic recording."""
    return np.ascontiguousarray(read_recording(voices()[0])[: round(seconds * 16000)])


def signals() -> dict[str, Int16]:
    """Return one second or so of speech and of extremes."""
    n, random = 8000, np.random.default_rng(5)
    time = np.arange(n)
    impulse = np.zeros(n, np.int16)
    impulse[3000] = -32768
    return {
        "voice": voice(),
        "quiet_voice": (voice() // 256).astype(np.int16),
        "silence": np.zeros(n, np.int16),
        "lowest": np.full(n, -32768, np.int16),
        "highest": np.full(n, 32767, np.int16),
        "square": np.where(time // 40 % 2, 32767, -32768).astype(np.int16),
        "alternating": np.where(time % 2, 32767, -32768).astype(np.int16),
        "quarter_rate": np.array([32767, 32767, -32768, -32768], np.int16)[time % 4],
        "sine": np.round(32767 * np.sin(2 * np.pi * 1000 * time / 16000)).astype(np.int16),
        "impulse": impulse,
        "loud_noise": random.choice(np.array([-32768, 32767], np.int16), n),
        "faint_noise": random.integers(-1, 2, n).astype(np.int16),
        "noise": random.normal(0, 3000, n).clip(-32768, 32767).astype(np.int16),
    }
