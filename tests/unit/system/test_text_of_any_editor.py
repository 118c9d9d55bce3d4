"""Lists, tables and TOML as editors write them: with a byte order mark, Windows line ends, an empty last line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.analysis.metadata import describe_recordings
from edge_sv.package.target import load_target
from edge_sv.recipes.reading import read_recipe
from edge_sv.scoring.speech_index import read_index
from edge_sv.scoring.trials import read_trials, read_utterances
from edge_sv.training.config import read_config
from edge_sv.training.corpus import read_corpus
from tests.corpora import CONFIG, make_corpus
from tests.voice_corpus import make_voice_corpus

RECIPE = 'name = "mine"\ndescription = "a test"\n[[rules]]\nmatch = "*"\nweights = 4\nquantizer = "kmeans"\n'
TARGET = 'description = "a board"\npackage = "tflite-micro"\nconverter = "tflite"\n'
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "trials": (read_trials, "1 a b\n0 a c\n"),
    "utterances": (read_utterances, "utt_id,files,speaker\na,a.wav|b.wav,ada\n"),
    "recipe": (read_recipe, RECIPE),
    "target": (lambda path: load_target(str(path)), TARGET),
    "training": (read_config, CONFIG),
}


def as_windows_writes(text: str) -> bytes:
    return b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n"


@pytest.mark.parametrize("name", READERS)
def test_a_file_reads_the_same(name: str, tmp_path: Path) -> None:
    read, text = READERS[name]
    path = tmp_path / "target.toml"
    path.write_text(text)
    wanted = read(path)
    path.write_bytes(as_windows_writes(text))
    assert read(path) == wanted


@pytest.mark.parametrize("make", [make_corpus, make_voice_corpus])
def test_a_table_of_speech_reads_the_same(make: Callable[[Path], Path], tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    made = make(tmp_path / "corpus")
    table = made / "index.csv" if made.is_dir() else made
    read: Callable[[Path], object] = read_corpus if make is make_corpus else read_index
    wanted, described = read(table), describe_recordings(table, splits=("train", "dev", "test"))
    table.write_bytes(as_windows_writes(table.read_text()))
    assert read(table) == wanted
    assert describe_recordings(table, splits=("train", "dev", "test")) == described
