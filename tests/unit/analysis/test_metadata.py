"""What is known about a recording: the table of speech files and its corpus's own table, joined by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.analysis.metadata import describe_recordings
from edge_sv.errors import DataError


def write_index(folder: Path, *rows: str, columns: str = "path,speaker,corpus,split") -> Path:
    (folder / "index.csv").write_text("\n".join([columns, *rows]) + "\n")
    return folder / "index.csv"


def write_metadata(folder: Path, corpus: str, *lines: str) -> None:
    (folder / corpus).mkdir(exist_ok=True)
    (folder / corpus / "metadata.csv").write_text("\n".join(lines) + "\n")


def test_the_corpus_s_table_is_joined_by_path_below_its_folder(tmp_path: Path) -> None:
    index = write_index(tmp_path, "aa/p/1.wav,p,aa,test", "aa/q/1.wav,q,aa,test", "bb/p/1.wav,p,bb,dev")
    write_metadata(tmp_path, "aa", "path,gender,text", "q/1.wav,f,two", "p/1.wav,m,one", "p/9.wav,m,not listed")
    first, second, third = describe_recordings(index, splits=("dev", "test"))
    assert (first.path, first.speaker, first.corpus, first.split) == (tmp_path / "aa/p/1.wav", "aa/p", "aa", "test")
    assert (first.facts["gender"], first.facts["text"]) == ("m", "one")
    assert (second.facts["gender"], second.facts["text"]) == ("f", "two")
    assert third.speaker == "bb/p" != first.speaker, "speakers of two corpora are two"
    assert dict(third.facts) == {"path": "bb/p/1.wav", "speaker": "p", "corpus": "bb", "split": "dev"}


def test_other_splits_are_left_out(tmp_path: Path) -> None:
    index = write_index(tmp_path, "aa/1.wav,p,aa,train", "aa/2.wav,p,aa,dev", "aa/3.wav,p,aa,test")
    found = describe_recordings(index, splits=["test"])
    assert [each.path.name for each in found] == ["3.wav"]
    with pytest.raises(DataError, match="no recordings of split a or b"):
        describe_recordings(index, splits=["b", "a"])


def test_an_empty_value_is_unknown_and_the_other_table_may_tell(tmp_path: Path) -> None:
    index = write_index(
        tmp_path,
        "aa/1.wav,p,aa,test,,en",
        "aa/2.wav,p,aa,test, ,",
        columns="path,speaker,corpus,split,gender,language",
    )
    write_metadata(tmp_path, "aa", "path,gender,language", "1.wav, f ,zh", "2.wav,,")
    first, second = describe_recordings(index, splits=["test"])
    assert first.facts["gender"] == "f", "the empty value of one table does not hide the other's"
    assert first.facts["language"] == "en", "where both tell, the table of speech files counts"
    assert not {"gender", "language"} & set(second.facts)


def test_rows_of_other_lengths_are_read(tmp_path: Path) -> None:
    index = write_index(tmp_path, "aa/1.wav,p,aa,test,one,more", "aa/2.wav,p,aa,test")
    write_metadata(tmp_path, "aa", "path,gender,text", "1.wav,f", "2.wav,m,two,three")
    first, second = describe_recordings(index, splits=["test"])
    assert (first.facts["gender"], second.facts["gender"], second.facts["text"]) == ("f", "m", "two")
    assert "text" not in first.facts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"path,speaker\na,b\n", r"lacks columns: corpus, split"),
        (b"", r"lacks columns: path, speaker, corpus, split"),
        (b"path,speaker,corpus,split\n\xff\xfe,a,b,test\n", "is not a CSV table"),
        (b'path,speaker,corpus,split\n"' + b"x" * 200_000 + b'",a,b,test\n', "is not a CSV table"),
        (None, "cannot read"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    index = tmp_path / "index.csv"
    if content is not None:
        index.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        describe_recordings(index, splits=["test"])
    assert str(index) in caught.value.message


def test_a_corpus_s_table_without_paths_is_named(tmp_path: Path) -> None:
    index = write_index(tmp_path, "aa/1.wav,p,aa,test")
    write_metadata(tmp_path, "aa", "file,gender", "1.wav,f")
    with pytest.raises(DataError, match=r"aa/metadata\.csv lacks columns: path"):
        describe_recordings(index, splits=["test"])
