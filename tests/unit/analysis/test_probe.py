"""Probing finds what is in the embeddings, on speakers and words that the classifier has not met, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_sv.analysis.compared_models import ComparedModel
from edge_sv.analysis.probe import TASKS, Probe, ProbeReport, probe
from edge_sv.errors import DataError, UsageError
from tests.described_corpora import FIRST_BIN, ToneEmbedder, write_described

pytest.importorskip("sklearn", reason="probing needs scikit-learn: pip install 'edge-sv[analyze]'")

SPEAKERS, EACH = 24, 6
HUM, FEMALE, CHILD = FIRST_BIN, FIRST_BIN + 1, FIRST_BIN + 2
SPEAKER_BINS = range(FIRST_BIN + 3, FIRST_BIN + 3 + SPEAKERS)
WORDS = {"ni": "zh", "hao": "zh", "wo": "zh", "ren": "zh", "we": "en", "go": "en", "up": "en", "on": "en"}
WORD_BINS = {word: FIRST_BIN + 3 + SPEAKERS + number for number, word in enumerate(WORDS)}


@dataclass(frozen=True)
class Hearing(ComparedModel):
    """A candidate that hears some tones only."""

    gains: tuple[tuple[int, float], ...] = ()

    @property
    def open(self) -> partial[ToneEmbedder]:
        return partial(ToneEmbedder, dict(self.gains))


def hearing(form: str, *bins: int) -> Hearing:
    return Hearing("tones", form, Path(), gains=tuple((place, 1.0) for place in (HUM, *bins)))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 speakers; gender and age are drawn for each, and only some tones give them away."""
    rng = np.random.default_rng(2)
    genders, ages = rng.permutation(["f", "m"] * (SPEAKERS // 2)), rng.permutation(["child", "adult"] * (SPEAKERS // 2))
    rows = []
    for number, own in enumerate(SPEAKER_BINS):
        tones = [HUM, own, *([FEMALE] if genders[number] == "f" else []), *([CHILD] if ages[number] == "child" else [])]
        for _ in range(EACH):
            rows.append(
                {"speaker": f"s{number:02}", "tones": " ".join(map(str, tones)), "gender": genders[number]}
                | {"age_group": ages[number], "language": "en"}
            )
    return write_described(tmp_path_factory.mktemp("people"), rows, corpus="aa")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 speakers say eight words of two languages; every word has a tone of its own, no language has."""
    rows = [
        {"speaker": f"s{number:02}", "tones": f"{HUM} {SPEAKER_BINS[number]} {WORD_BINS[word]}", "text": word}
        | {"language": language}
        for number in range(12)
        for word, language in WORDS.items()
        for _ in range(3)
    ]
    return write_described(tmp_path_factory.mktemp("words"), rows, corpus="bb")


def find(report: ProbeReport, task: str) -> Probe:
    return next(each for each in report.probes if each.task == task)


def test_finds_what_is_there_and_not_what_is_not(people: Path) -> None:
    report = probe([hearing("float", FEMALE)], people, jobs=1)
    gender, age = find(report, "gender"), find(report, "age_group")
    assert gender.majority == age.majority == 0.5
    assert gender.readings[0].accuracy == 1
    assert age.readings[0].accuracy < 0.75
    assert gender.recordings == SPEAKERS * EACH and gender.speakers == SPEAKERS
    assert gender.classes == {"f": SPEAKERS * EACH // 2, "m": SPEAKERS * EACH // 2}


def test_speakers_are_unseen(people: Path) -> None:
    """The embedder hears who speaks and nothing else: with the same speakers on both sides gender would be exact."""
    report = probe([hearing("float", *SPEAKER_BINS)], people, tasks=["gender"], jobs=1)
    assert find(report, "gender").readings[0].accuracy < 0.75


def test_words_are_unseen_when_the_language_is_asked_for(words: Path) -> None:
    """Words tell the language only to who has met them."""
    report = probe([hearing("float", *WORD_BINS.values())], words, jobs=1)
    assert find(report, "word").readings[0].accuracy > 0.99
    language = find(report, "language")
    assert language.unseen == ("speaker", "text")
    assert language.readings[0].accuracy < 0.75


def test_the_change_to_float_has_an_interval_of_its_own(people: Path) -> None:
    models = [hearing("float", FEMALE), hearing("palette_w1_ai8", CHILD)]
    gender = find(probe(models, people, tasks=["gender"], jobs=1), "gender")
    full, poor = gender.readings
    assert full.change is None and full.change_ci is None
    assert poor.change == pytest.approx(poor.accuracy - full.accuracy)
    assert poor.change_ci is not None and poor.change_ci[0] <= poor.change <= poor.change_ci[1] < 0
    assert poor.accuracy_ci[0] <= poor.accuracy <= poor.accuracy_ci[1]


def test_what_cannot_be_asked_is_said(people: Path) -> None:
    report = probe([hearing("float", FEMALE)], people, jobs=1)
    reasons = {skipped.task: skipped.reason for skipped in report.skipped}
    assert reasons == {
        "language": "only one answer: en",
        "word": "no metadata for it",
        "sentence_length": "no metadata for it",
    }
    assert {each.task for each in report.probes} | set(reasons) == set(TASKS)


def test_few_speakers_are_refused(tmp_path: Path) -> None:
    rows = [
        {"speaker": f"s{number}", "tones": f"{HUM} 20", "gender": "fm"[number % 2]}
        for number in range(8)
        for _ in range(6)
    ]
    index = write_described(tmp_path, rows, corpus="aa")
    with pytest.raises(DataError, match="has no recordings for any probing task") as refused:
        probe([hearing("float", FEMALE)], index, tasks=["gender"], jobs=1)
    assert "8 speakers" in refused.value.details["gender, aa"]


def test_training_speakers_take_no_part(tmp_path: Path) -> None:
    rows = [{"speaker": f"s{n}", "tones": f"{HUM} 20", "gender": "fm"[n % 2]} for n in range(12) for _ in range(4)]
    index = write_described(tmp_path, rows, corpus="aa", split="train")
    with pytest.raises(DataError, match="no recordings of split dev or test"):
        probe([hearing("float", FEMALE)], index, jobs=1)


def test_unknown_task_is_named(people: Path) -> None:
    with pytest.raises(UsageError, match="unknown task 'gendre'") as refused:
        probe([hearing("float", FEMALE)], people, tasks=["gendre"])
    assert refused.value.hint == "did you mean 'gender'?"


def test_sentence_length_splits_at_the_middle(tmp_path: Path) -> None:
    texts = ["a b", "a b c", "a b c d", "a b c d e"]
    rows = [
        {"speaker": f"s{n:02}", "tones": f"20 {30 + len(text.split())}", "text": text}
        for n in range(12)
        for text in texts
    ]
    index = write_described(tmp_path, rows, corpus="aa")
    gains = tuple((b, 1.0) for b in (20, 32, 33, 34, 35))
    found = find(probe([Hearing("tones", "float", Path(), gains=gains)], index, jobs=1), "sentence_length")
    assert found.classes == {"more than 3": 24, "up to 3 words": 24}
    assert found.readings[0].accuracy == 1
