"""Recordings of four made-up speakers, a trial list of them, and an empty cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.evaluation.embedding_cache import EmbeddingCache
from edge_sv.scoring.trials import Trial, TrialList


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four 'speakers' of twenty coloured-noise recordings each; a speaker is a spectral tilt."""
    folder = tmp_path_factory.mktemp("voices")
    generator = np.random.default_rng(0)
    for speaker in range(4):
        (folder / f"s{speaker}").mkdir()
        for i in range(20):
            spectrum = np.fft.rfft(generator.normal(size=6000))
            tilt = np.linspace(0, 1, len(spectrum)) * (speaker - 1.5 + 0.3 * generator.normal())
            samples = np.fft.irfft(spectrum * np.exp(tilt)) * 2000
            soundfile.write(folder / f"s{speaker}/{i}.wav", samples.astype(np.int16), 16000)
    return folder


@pytest.fixture(scope="module")
def voice_trials() -> TrialList:
    names = [(speaker, f"s{speaker}/{i}.wav") for speaker in range(4) for i in range(20)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    chosen = np.random.default_rng(1).permutation(len(pairs))[:1500]
    return TrialList(tuple(Trial(pairs[i][0][0] == pairs[i][1][0], pairs[i][0][1], pairs[i][1][1]) for i in chosen))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    opened = EmbeddingCache(tmp_path / "cache")
    yield opened
    opened.close()
