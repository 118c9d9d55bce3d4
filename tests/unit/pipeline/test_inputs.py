"""What a key has of recordings: looked at once, and other when a file, a list or the table is other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edge_sv.errors import DataError
from edge_sv.pipeline.inputs import speech_inputs


@pytest.fixture
def corpus(data: Path, tmp_path: Path) -> Path:
    shutil.copytree(data.parent, tmp_path / "corpus")
    return tmp_path / "corpus" / "index.csv"


def test_every_change_is_seen(corpus: Path) -> None:
    seen = [speech_inputs(corpus)()]
    lists = corpus.parent / "synth" / "trials_dev.txt"
    lists.write_text(lists.read_text() + "\n")
    seen.append(speech_inputs(corpus)())
    corpus.write_text(corpus.read_text() + "\n")
    seen.append(speech_inputs(corpus)())
    os.utime(next(corpus.parent.rglob("*.flac")), ns=(1, 1))
    seen.append(speech_inputs(corpus)())
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])


def test_it_is_looked_at_when_asked_and_once(corpus: Path) -> None:
    inputs = speech_inputs(corpus)
    first = inputs()
    next(corpus.parent.rglob("*.flac")).unlink()
    assert inputs() == first
    later = speech_inputs(corpus)
    with pytest.raises(DataError, match="cannot read"):
        later()


def test_the_bundled_voices_have_an_identity() -> None:
    assert speech_inputs(None)() == speech_inputs(None)() and len(speech_inputs(None)()) == 64
