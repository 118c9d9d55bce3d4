"""Recordings are chosen evenly and cut in one place; of nothing comes nothing, not a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.errors import DataError
from edge_sv.frontend.features import compute_features
from edge_sv.scoring.speech_sample import (
    SpeechSample,
    bundled_voices,
    check_sample,
    cut_crops,
    evenly,
    held_out_sample,
)
from edge_sv.system import bundled
from edge_sv.system.bundled import assets_dir
from tests.corpora import make_corpus
from tests.nets import FEATURES, SEGMENTS
from tests.voice_corpus import make_voice_corpus


@given(st.lists(st.integers(), max_size=200), st.integers(1, 100))
def test_evenly_keeps_order_and_count(items: list[int], count: int) -> None:
    chosen = evenly(items, count)
    assert len(chosen) <= count and (len(chosen) > 0) == (len(items) > 0)
    positions = [index for index, _ in evenly(list(enumerate(items)), count)]
    assert len(set(np.diff(positions))) <= 1 and positions[:1] == [0][: len(items)]
    assert len(items) > count or list(chosen) == items


def test_an_empty_sample_has_no_segments() -> None:
    nothing = SpeechSample({}, None, "nothing")
    assert list(nothing.evenly(32).segments(FEATURES, SEGMENTS)) == []
    with pytest.raises(DataError, match="no recording to run a net on: nothing"):
        nothing.first_segments(FEATURES, SEGMENTS, count=4)


def test_voices_are_all_of_the_bundled_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    voices = bundled_voices()
    assert len(voices.files) == len(list((assets_dir() / "voices").glob("*.flac"))) > 4 and voices.trials is None
    assert check_sample(None) == held_out_sample(None, count=2) == voices
    monkeypatch.setattr(bundled, "_PACKAGE", tmp_path)
    with pytest.raises(DataError, match="bundled voices are missing"):
        bundled_voices()


def test_segments_are_those_of_the_joined_recording() -> None:
    voices = bundled_voices()
    both = SpeechSample({"two": tuple(path for files in list(voices.files.values())[:2] for path in files)}, None, "x")
    ((name, segments),) = both.segments(FEATURES, SEGMENTS)
    from edge_sv.audio.recording import join, read_recording

    pcm = join([read_recording(path) for path in both.files["two"]])
    assert name == "two" and np.array_equal(segments, SEGMENTS.cut(compute_features(pcm, FEATURES)))


def test_first_segments_come_from_every_recording_before_a_second() -> None:
    voices = bundled_voices()
    firsts = [segments[0] for _, segments in voices.segments(FEATURES, SEGMENTS)]
    taken = voices.first_segments(FEATURES, SEGMENTS, count=len(firsts) + 1)
    assert all(np.array_equal(a, b) for a, b in zip(firsts, taken, strict=False)) and len(taken) == len(firsts) + 1


def test_crops_are_evenly_chosen() -> None:
    crops = cut_crops(bundled_voices(), FEATURES, SEGMENTS, count=5)
    assert crops.shape == (5, SEGMENTS.frames, FEATURES.num_mels, 1) and crops.dtype == np.float32
    everything = cut_crops(bundled_voices(), FEATURES, SEGMENTS, count=10_000)
    assert np.array_equal(crops[0], everything[0]) and np.array_equal(crops[-1], everything[-1])


def test_of_a_table_the_development_lists_then_what_was_not_trained_on(tmp_path: Path) -> None:
    index = make_voice_corpus(tmp_path)
    sample = check_sample(index)
    assert sample.trials is not None and sample.source == "development lists of the data"
    (tmp_path / "synth" / "trials_dev.txt").unlink()
    sample = check_sample(index)
    assert sample.trials is None and len(sample.files) == 9 and all(name.endswith("_2.flac") for name in sample.files)
    assert len(held_out_sample(index, count=4).files) == 3
    text = index.read_text().replace(",dev,", ",train,")
    index.write_text(text)
    assert len(check_sample(index).files) == 27, "a table of training files alone gives them"


def test_speech_of_a_table_is_what_was_not_trained_on(tmp_path: Path) -> None:
    speech = held_out_sample(make_corpus(tmp_path / "corpus") / "index.csv", count=16)
    assert speech.files and all(path.parent.name in ("s4", "s5", "s6") for (path,) in speech.files.values())
