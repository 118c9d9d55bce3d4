"""Corpora of every layout are listed alike; what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.errors import DataError, UsageError
from edge_sv.training.corpus import NoiseFiles, Utterance, file_sizes, read_corpus, read_noise


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_index_takes_the_training_rows(tmp_path: Path) -> None:
    touch(tmp_path, "so/b.flac", "so/a.flac", "li/c.opus", "so/dev.flac")
    (tmp_path / "index.csv").write_text(
        "path,speaker,corpus,split,language\n"
        "so/b.flac,s2,so,train,en\nso/a.flac,s1,so,train,en\nli/c.opus,l1,,train,en\nso/dev.flac,s3,so,dev,en\n"
    )
    expected = (
        Utterance(tmp_path / "li/c.opus", "l1", tmp_path.name),
        Utterance(tmp_path / "so/a.flac", "s1", "so"),
        Utterance(tmp_path / "so/b.flac", "s2", "so"),
    )
    assert read_corpus(tmp_path) == expected
    assert read_corpus(tmp_path / "index.csv") == expected


def test_a_csv_needs_no_split_and_no_corpus(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    (tmp_path / "mine.csv").write_text("speaker,path\nx,a.wav\ny,b.wav\n")
    assert [(u.path.name, u.speaker, u.corpus) for u in read_corpus(tmp_path / "mine.csv")] == [
        ("a.wav", "x", tmp_path.name),
        ("b.wav", "y", tmp_path.name),
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["id10001/v1/00001.wav", "id10001/v2/00001.wav", "id10002/v1/00007.WAV"],
        ["id10001/a.wav", "id10001/b.flac", "id10002/c.ogg"],
    ],
    ids=["voxceleb", "plain"],
)
def test_the_first_folder_is_the_speaker(tmp_path: Path, names: list[str]) -> None:
    root = tmp_path / "vox"
    touch(root, *names, "readme.txt", "id10001/notes.txt", "stray.wav")
    found = read_corpus(root)
    assert [u.path for u in found] == [root / name for name in sorted(names)]
    assert [u.speaker for u in found] == ["id10001", "id10001", "id10002"]
    assert {u.corpus for u in found} == {"vox"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,who\na.wav,x\n", ["lacks the columns speaker"]),
        ("", ["lacks the columns path, speaker"]),
        ("path,speaker\na.wav,x\nb.wav\n", ["line 3", "a speaker is missing"]),
        ("path,speaker\na.wav,x\nno.wav,y\nnor.wav,y\n", ["2 of the 3", "no.wav"]),
        ("path,speaker\na.wav,x\nb.wav,x\n", ["2 recordings of 1 speakers", "at least two"]),
        ("path,speaker,split\na.wav,x,dev\nb.wav,y,dev\n", ["0 recordings", "split = train"]),
    ],
)
def test_a_csv_that_cannot_be_used(tmp_path: Path, text: str, words: list[str]) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_corpus(tmp_path)
    assert all(word in str(caught.value) for word in [str(tmp_path / "index.csv"), *words])


def test_a_csv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_bytes(b"path,speaker\n\xff\xfe,x\n")
    with pytest.raises(DataError, match=r"cannot read .*index\.csv"):
        read_corpus(tmp_path)


def test_folders_without_speakers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training data"):
        read_corpus(tmp_path / "absent")
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.raises(DataError, match="0 recordings of 0 speakers"):
        read_corpus(tmp_path)


def test_noise_and_rooms_are_told_apart_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "b/rain.flac", "a/rir_hall.wav", "list.csv", "a/hum.OGG")
    expected = NoiseFiles((tmp_path / "a/hum.OGG", tmp_path / "b/rain.flac"), (tmp_path / "a/rir_hall.wav",))
    assert read_noise(tmp_path) == expected


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_noise(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no noise in") as caught:
        read_noise(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_file_sizes_name_what_is_missing(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    assert file_sizes([tmp_path / "a.wav"]) == [(str(tmp_path / "a.wav"), 1)]
    with pytest.raises(DataError, match=r"no\.wav"):
        file_sizes([tmp_path / "a.wav", tmp_path / "no.wav"])
