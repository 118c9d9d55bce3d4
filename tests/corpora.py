"""Synthetic corpora: every "speaker" is noise with a spectrum of its own, drawn from a seed."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16000
TRAIN_SPEAKERS, DEV_SPEAKERS, RECORDINGS = 4, 3, 3

CONFIG = """
name = "tiny"
seed = 3

[net.config]
stem_channels = 4
stem_stride = [2, 2]
stage_channels = [4, 8]
stage_blocks = [1, 1]
downsample = ["none", "stride"]
pooling = "mean_time_freq"
embedding_dim = 8

[features]
num_mels = 16
normalization = "none"

[segments]
frames = 40
hop_frames = 20

[augment]
speeds = [0.9, 1.0]
copies = 1
noise = "noise"
time_width = 4
mel_width = 2

[optimizer]
learning_rate = 0.01
batch_size = 8
epochs = 2
steps_per_epoch = 4
warmup_steps = 2
ema_decay = 0.5

[validation]
trials = ["trials_dev.txt"]
"""


def make_corpus(folder: Path, *, seed: int = 0) -> Path:
    """Write a corpus with index.csv (two corpora, `aa` and `bb`), a dev trial list, and noise; a few seconds in all."""
    rng = np.random.default_rng(seed)
    rows, dev = ["path,speaker,corpus,split"], []
    for number in range(TRAIN_SPEAKERS + DEV_SPEAKERS):
        speaker, split = f"s{number}", "train" if number < TRAIN_SPEAKERS else "dev"
        spectrum = rng.normal(0, 2, 12)
        for recording in range(RECORDINGS):
            path = f"{speaker}/r{recording}.wav"
            write_wav(folder / path, shaped_noise(rng, spectrum, int(rng.integers(8000, 14000))))
            rows.append(f"{path},{speaker},{'ab'[number % 2] * 2},{split}")
            dev += [(speaker, path)] if split == "dev" else []
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    trials = [f"{int(a[0] == b[0])} {a[1]} {b[1]}" for a, b in itertools.combinations(dev, 2)]
    (folder / "trials_dev.txt").write_text("\n".join(trials) + "\n")
    write_wav(folder / "noise" / "hiss.wav", 0.05 * rng.normal(size=SAMPLE_RATE))
    decay = np.exp(-np.arange(2000) / 300)
    write_wav(folder / "noise" / "rir_room.wav", 0.3 * decay * rng.uniform(-1, 1, 2000))
    return folder


def shaped_noise(rng: np.random.Generator, log_spectrum: np.ndarray, num_samples: int) -> np.ndarray:
    """Draw (num_samples,) noise in [-0.5, 0.5] with a spectrum given at equally spaced frequencies."""
    noise = np.fft.rfft(rng.normal(size=num_samples))
    places = np.linspace(0, len(log_spectrum) - 1, len(noise))
    shaped = np.fft.irfft(noise * np.exp(np.interp(places, np.arange(len(log_spectrum)), log_spectrum)), num_samples)
    return 0.5 * shaped / np.abs(shaped).max()


def write_wav(path: Path, samples: np.ndarray) -> Path:
    """Write (num_samples,) floats in [-1, 1] as 16-bit wav."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return path
