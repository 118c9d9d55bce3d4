"""Make the synthetic voices of `assets/voices` with eSpeak NG.

Usage: python scripts/make_voices.py [FOLDER]

The bundled files were made by eSpeak NG 1.51 (`apt-get install espeak-ng`). The same version gives the same samples;
another one speaks a little differently.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

SAMPLE_RATE = 16000
MADE_WITH = "1.51"
PEAK = 0.25
NOISE_DBFS = -66.0


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Args:
        language: eSpeak NG voice and variant.
        pitch: 0 to 99.
        words_per_minute: speed.
        tract: all formants are multiplied by this (a shorter vocal tract: above 1), by playing at another rate.
    """

    language: str
    pitch: int
    words_per_minute: int
    tract: float = 1.0


VOICES = {
    "ada": Voice("en-us+f5", 55, 165, tract=1.15),
    "bea": Voice("en-gb-scotland+f3", 45, 165, tract=0.82),
    "carl": Voice("en-us+klatt", 40, 160),
    "dan": Voice("en-gb-x-rp+m7", 30, 155),
}

SENTENCES = {
    "ada_1": "The harbour was quiet when the last boat came in.",
    "ada_2": "Please open the front door, my hands are full today.",
    "ada_3": "Seven tall windows look out over the river and the mill.",
    "ada_4": "I would like to hear the weather for tomorrow, thank you.",
    "bea_1": "Nobody expected the old clock to strike again at noon.",
    "bea_2": "We took the early train and walked along the coast.",
    "carl_1": "Every garden in this village has at least one apple tree.",
    "carl_2": "Turn the heating down before you leave the house.",
    "dan_1": "My brother plays the cello in a small orchestra nearby.",
}


def speak(voice: Voice, sentence: str) -> npt.NDArray[np.float32]:
    """Synthesize a sentence: (num_samples,) float32 at `SAMPLE_RATE`."""
    command = ["espeak-ng", "-v", voice.language, "-p", str(voice.pitch)]
    command += ["-s", str(round(voice.words_per_minute / voice.tract)), "--stdout", sentence]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    resampled: npt.NDArray[np.float32] = soxr.resample(samples, rate * voice.tract, SAMPLE_RATE)
    return resampled


def record(samples: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.int16]:
    """Set the level and add a quiet room's noise: synthetic speech has digital silence, no microphone does."""
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * 10 ** (NOISE_DBFS / 20)
    return np.rint((PEAK * samples / np.abs(samples).max() + noise) * 32767).astype(np.int16)


def main(folder: Path) -> None:
    """Write every recording as FLAC into the folder; exit code 6 when espeak-ng is not installed."""
    if shutil.which("espeak-ng") is None:
        print("error: espeak-ng is not installed\n  try   apt-get install espeak-ng", file=sys.stderr)
        sys.exit(6)
    banner = subprocess.run(["espeak-ng", "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"\d+(\.\d+)+", banner)
    if version is None or version.group() != MADE_WITH:
        print(f"warning: the bundled files were made by eSpeak NG {MADE_WITH}, this is {banner}", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, sentence) in enumerate(SENTENCES.items()):
        pcm = record(speak(VOICES[name.split("_")[0]], sentence), seed)
        path = folder / f"{name}.flac"
        soundfile.write(path, pcm, SAMPLE_RATE, compression_level=1.0)
        print(f"{path}  {len(pcm) / SAMPLE_RATE:.1f} s  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "assets" / "voices")
