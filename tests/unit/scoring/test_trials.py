"""Trial lists: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.errors import DataError
from edge_sv.scoring.trials import Trial, TrialList, find_recordings, read_speakers, read_trials, read_utterances

IDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@given(pairs=st.lists(st.tuples(st.booleans(), IDS, IDS), max_size=20))
def test_a_written_list_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[bool, str, str]]
) -> None:
    trials = TrialList((Trial(True, "a/1", "a/2"), Trial(False, "a/1", "b/1"), *(Trial(*pair) for pair in pairs)))
    path = write(tmp_path_factory.mktemp("trials") / "list.txt", trials.to_text())
    assert read_trials(path) == trials


def test_fields_order_and_uniqueness(tmp_path: Path) -> None:
    trials = read_trials(write(tmp_path / "list.txt", "1 a/1.wav a/2.wav\n\n0  a/1.wav\tb/1.wav\r\n"))
    assert list(trials) == [Trial(True, "a/1.wav", "a/2.wav"), Trial(False, "a/1.wav", "b/1.wav")]
    assert trials.labels.tolist() == [True, False]
    assert trials.recordings == ("a/1.wav", "a/2.wav", "b/1.wav")
    assert len(trials) == 2


@pytest.mark.parametrize(
    "text",
    [
        "1 a b\n0 a c\n",
        "target a b\nnontarget a c\n",
        "a b target\na c nontarget\n",
        "a b 1\na c 0\n",
    ],
)
def test_the_formats_of_voxceleb_and_kaldi_are_one(tmp_path: Path, text: str) -> None:
    trials = read_trials(write(tmp_path / "list.txt", text))
    assert list(trials) == [Trial(True, "a", "b"), Trial(False, "a", "c")]


def test_ids_may_look_like_labels(tmp_path: Path) -> None:
    """Where both ends could be the label, it is the first."""
    trials = read_trials(write(tmp_path / "list.txt", "1 target 0\n0 target 1\n"))
    assert list(trials) == [Trial(True, "target", "0"), Trial(False, "target", "1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 a b\n0 a c\nyes a d\n", ["line 3", "label must be 1", "'yes'"]),
        ("1 a b\n2 a c\n", ["line 2", "'2'"]),
        ("a b target\na c 1\na d\n", ["line 3", "got 2"]),
        ("a b target\n0 a c\n", ["line 2", "'c'"]),
        ("1 a b\na c nontarget\n", ["line 2", "'a'"]),
        ("1 a b\n\n0 a\n", ["line 3", "3 fields", "got 2"]),
        ("1 a b c\n", ["line 1", "got 4"]),
        ("", ["is empty"]),
        (" \n\n", ["is empty"]),
        ("1 a b\n1 a c\n", ["no non-target (label 0)"]),
        ("0 a b\n", ["no target (label 1)"]),
    ],
)
def test_a_bad_list_is_refused_by_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        read_trials(write(tmp_path / "list.txt", text))
    assert all(word in str(error.value) for word in [*words, "list.txt"])


@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_list_or_a_data_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("trials") / "list.txt"
    path.write_bytes(data)
    try:
        trials = read_trials(path)
    except DataError as error:
        assert "list.txt" in str(error)
    else:
        assert 0 < trials.labels.sum() < len(trials)


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read trial list.*absent\.txt"):
        read_trials(tmp_path / "absent.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_trials(tmp_path / "binary.txt")


def test_utterances_name_files_and_speakers(tmp_path: Path) -> None:
    path = write(tmp_path / "utterances.csv", "utt_id,speaker,files\nU1,ann,a/1.wav|a/2.wav\nU2,bob,b/1.wav\n")
    assert read_utterances(path) == {"U1": ("a/1.wav", "a/2.wav"), "U2": ("b/1.wav",)}
    assert read_speakers(path) == {"U1": "ann", "U2": "bob"}
    assert read_speakers(write(tmp_path / "plain.csv", "utt_id,files\nU1,a.wav\n")) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("utt_id,speaker\nU1,ann\n", ["no column 'files'"]),
        ("", ["no column 'utt_id'", "an empty file"]),
        ("utt_id,files\n", ["lists no utterance"]),
        ("utt_id,files\nU1,\n", ["line 2", "no files"]),
        ("utt_id,files\nU1,a\nU1,b\n", ["line 3", "twice"]),
        ("utt_id,files\nU1\n", ["line 2", "2 fields"]),
    ],
)
def test_bad_utterances_are_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        read_utterances(write(tmp_path / "u.csv", text))
    assert all(word in str(error.value) for word in words)


def make_list(*ids: str) -> TrialList:
    return TrialList((Trial(True, ids[0], ids[1]), *(Trial(False, ids[0], other) for other in ids[2:])))


def test_ids_are_paths_below_the_audio_folder(tmp_path: Path) -> None:
    for name in ("ann/x/1.wav", "ann/2.wav", "bob/1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_recordings(make_list("ann/x/1.wav", "ann/2.wav", "./bob/1.wav"), tmp_path)
    assert found.files["ann/x/1.wav"] == (tmp_path / "ann/x/1.wav",)
    assert found.speakers == {"ann/x/1.wav": "ann", "ann/2.wav": "ann", "./bob/1.wav": "bob"}


def test_utterance_files_are_found_beside_their_csv_or_below_audio(tmp_path: Path) -> None:
    tables, audio = tmp_path / "tables", tmp_path / "audio"
    tables.mkdir()
    audio.mkdir()
    (tables / "near.wav").touch()
    (audio / "far.wav").touch()
    (audio / "plain.wav").touch()
    csv = write(tables / "u.csv", "utt_id,speaker,files\nU1,ann,near.wav|far.wav\nU2,bob,far.wav\n")
    found = find_recordings(make_list("U1", "U2", "plain.wav"), audio, utterances=csv)
    assert found.files == {
        "U1": (tables / "near.wav", audio / "far.wav"),
        "U2": (audio / "far.wav",),
        "plain.wav": (audio / "plain.wav",),
    }
    assert found.speakers == {"U1": "ann", "U2": "bob", "plain.wav": "plain.wav"}


def test_missing_files_are_named_and_counted(tmp_path: Path) -> None:
    (tmp_path / "there.wav").touch()
    trials = make_list("there.wav", *(f"gone{i}.wav" for i in range(5)))
    with pytest.raises(DataError) as error:
        find_recordings(trials, tmp_path)
    text = str(error.value)
    assert "5 files" in text and "gone0.wav" in text and "gone2.wav" in text and "gone3.wav" not in text
    assert "and 2 more" in text and "--audio" in text


def test_the_corpora_lists_are_whole(speech_data: Path) -> None:
    for folder in sorted(path.parent for path in speech_data.glob("*/trials_test.txt")):
        table = folder / "utterances.csv"
        trials = read_trials(folder / "trials_test.txt")
        found = find_recordings(trials, folder, utterances=table if table.is_file() else None)
        for trial in trials:
            assert trial.enroll != trial.test
            assert (found.speakers[trial.enroll] == found.speakers[trial.test]) == trial.label


def test_lists_may_name_files_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for name in ("a.wav", "b c.wav"):
        (tmp_path / "home" / name).write_text("")
    (tmp_path / "u.csv").write_text("utt_id , files , speaker\nx , ~/a.wav | ~/b c.wav , ada \n,,\n")
    trials = TrialList((Trial(True, "x", "x"), Trial(False, "x", "~/a.wav")))
    found = find_recordings(trials, tmp_path, utterances=tmp_path / "u.csv")
    assert found.files["x"] == (tmp_path / "home" / "a.wav", tmp_path / "home" / "b c.wav")
    assert found.files["~/a.wav"] == (tmp_path / "home" / "a.wav",) and found.speakers["x"] == "ada"
