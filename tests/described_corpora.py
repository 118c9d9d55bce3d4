"""Corpora whose recordings say of themselves who spoke what, and an embedder that hears exactly that.

A recording is a sum of tones, one for its speaker and one for each fact, so what an embedding knows is planted.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system.array_types import Float32, Int16
from tests.corpora import SAMPLE_RATE, write_wav

NUM_SAMPLES = 1600
FIRST_BIN = 10
"""Of the tones; one bin is 10 Hz."""


def write_described(folder: Path, rows: list[dict[str, str]], *, corpus: str, split: str = "test") -> Path:
    """Write recordings and their tables.

    Args:
        folder: gets index.csv (appended to), and the corpus's folder with metadata.csv.
        rows: for each recording its `speaker`, `tones` (bins, separated by spaces) and any other facts.
        corpus: name.
        split: of all of them.

    Returns:
        The table of speech files.
    """
    index = folder / "index.csv"
    listed = [] if index.exists() else ["path,speaker,corpus,split"]
    facts = [{"path": f"{row['speaker']}/r{number}.wav", **row} for number, row in enumerate(rows)]
    for fact in facts:
        write_wav(folder / corpus / fact["path"], _tones(fact.pop("tones")))
        listed.append(f"{corpus}/{fact['path']},{fact['speaker']},{corpus},{split}")
    with index.open("a") as stream:
        stream.write("\n".join(listed) + "\n")
    with (folder / corpus / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(facts[0]))
        writer.writeheader()
        writer.writerows(facts)
    return index


@dataclass(frozen=True)
class ToneEmbedder:
    """Hears the tones of a recording.

    Args:
        gains: bin -> how strongly it is heard; others are not.
        name: tells embedders apart.
    """

    gains: Mapping[int, float]
    name: str = "tones"
    sources_sha256: str = "of the test"
    features: FeatureConfig = field(default_factory=FeatureConfig)
    segments: SegmentRule = field(default_factory=SegmentRule)

    @property
    def embedding_dim(self) -> int:
        return len(self.gains)

    @property
    def model_sha256(self) -> str:
        return f"{self.name} {sorted(self.gains.items())}"

    def embed(self, pcm: Int16) -> Float32:
        heard = np.abs(np.fft.rfft(pcm[:NUM_SAMPLES] / 32768))
        vector = np.array([gain * heard[place] for place, gain in self.gains.items()], np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _tones(bins: str) -> np.ndarray:
    time = np.arange(NUM_SAMPLES) / SAMPLE_RATE
    step = SAMPLE_RATE / NUM_SAMPLES
    tones = [np.sin(2 * np.pi * step * int(place) * time) for place in bins.split()]
    return 0.8 * np.sum(tones, axis=0) / max(1, len(tones))
