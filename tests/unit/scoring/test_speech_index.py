"""The table of speech files, and what is drawn from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.scoring.speech_index import development_list, read_index, sample_speech, training_speakers
from tests.voice_corpus import make_voice_corpus


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_voice_corpus(tmp_path_factory.mktemp("corpus"))


def test_speech_is_drawn_evenly_and_joined_to_the_length(data: Path) -> None:
    drawn = sample_speech(read_index(data), count=8, min_samples=40_000, seed=1)
    assert len(drawn) == 8 and min(map(len, drawn)) >= 40_000
    again = sample_speech(read_index(data), count=8, min_samples=40_000, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))


@pytest.mark.parametrize("text", ["", "path,speaker\n", "path,speaker,corpus,split\na.flac,s,c,test\n"])
def test_a_useless_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError, match=r"index\.csv"):
        read_index(tmp_path / "index.csv")


def test_development_lists_are_pooled_under_their_corpus(data: Path) -> None:
    files = read_index(data)
    pooled = development_list(data, files)
    assert pooled is not None and len(pooled.trials) == 36
    assert all(name.startswith("synth/") for name in pooled.files)
    assert set(pooled.trials.recordings) == set(pooled.files)
    (data.parent / "synth" / "trials_dev.txt").rename(data.parent / "away.txt")
    try:
        assert development_list(data, files) is None
    finally:
        (data.parent / "away.txt").rename(data.parent / "synth" / "trials_dev.txt")


def test_training_speakers_have_their_training_files_alone(data: Path) -> None:
    speakers = training_speakers(read_index(data))
    assert sorted(speakers) == ["synth/ada", "synth/bea", "synth/carl", "synth/dan"]
    assert all(path.stem[-1] in "01" for paths in speakers.values() for path in paths)
