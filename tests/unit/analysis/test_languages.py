"""Trials are divided by language, and a net that hears the language loses across languages."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from edge_sv.analysis.compared_models import ComparedModel
from edge_sv.analysis.languages import compare_languages, read_language_list
from edge_sv.errors import DataError, UsageError
from tests.described_corpora import ToneEmbedder, write_described

SPEAKERS = {f"s{number}": 20 + number for number in range(6)}
LANGUAGES = {"zh": 40, "en": 41}
ALL_BINS = (*SPEAKERS.values(), *LANGUAGES.values())


@dataclass(frozen=True)
class Hearing(ComparedModel):
    """Hears speakers, and languages with a gain."""

    language_gain: float = 0.0

    @property
    def open(self) -> partial[ToneEmbedder]:
        gains = dict.fromkeys(SPEAKERS.values(), 1.0) | dict.fromkeys(LANGUAGES.values(), self.language_gain)
        return partial(ToneEmbedder, gains)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Six speakers, two recordings in each of two languages; every pair of recordings is a trial, zh enrolled first."""
    rows = [
        {"speaker": speaker, "language": language, "tones": f"{own} {tone}"}
        for language, tone in LANGUAGES.items()
        for speaker, own in SPEAKERS.items()
        for _ in range(2)
    ]
    write_described(tmp_path, rows, corpus="aa")
    names = [f"{row['speaker']}/r{number}.wav" for number, row in enumerate(rows)]
    trials = [f"{int(a.split('/')[0] == b.split('/')[0])} {a} {b}\n" for a, b in itertools.combinations(names, 2)]
    (tmp_path / "aa" / "trials_test.txt").write_text("".join(trials))
    return tmp_path / "aa"


def test_parts_are_by_language_within_first(corpus: Path) -> None:
    report = compare_languages([Hearing("n", "float", Path())], read_language_list(corpus), jobs=1)
    assert [pair.name for pair in report.pairs] == ["en-en", "zh-zh", "zh-en"]
    assert [(pair.trials, pair.targets, pair.speakers) for pair in report.pairs] == [
        (66, 6, 6),
        (66, 6, 6),
        (144, 24, 6),
    ]


def test_a_net_that_hears_the_language_rejects_across_languages(corpus: Path) -> None:
    models = [Hearing("n", "float", Path()), Hearing("n", "binary_w1_ai8", Path(), language_gain=2.0)]
    report = compare_languages(models, read_language_list(corpus / "trials_test.txt"), jobs=1)
    within, across = report.pairs[0], report.pairs[2]
    deaf, hears = across.errors
    assert deaf.eer == hears.eer == within.errors[1].eer == 0, "each part alone is separated"
    assert deaf.false_reject_rate == 0 and hears.false_reject_rate > 0.5, "one threshold for all is not"
    assert within.errors[1].false_reject_rate == 0
    assert deaf.change is None and hears.change == 0 and hears.change_ci == (0, 0)


def test_the_change_of_eer_is_that_of_the_two(corpus: Path) -> None:
    models = [Hearing("n", "float", Path()), Mute("n", "x", Path())]
    across = compare_languages(models, read_language_list(corpus), jobs=1).pairs[2]
    assert across.errors[1].change == across.errors[1].eer - across.errors[0].eer > 0
    ends = across.errors[1].change_ci
    assert ends is not None and ends[0] <= across.errors[1].change <= ends[1]


@dataclass(frozen=True)
class Mute(ComparedModel):
    """Hears three of the six speakers."""

    @property
    def open(self) -> partial[ToneEmbedder]:
        heard = dict.fromkeys(list(SPEAKERS.values())[:3], 1.0) | dict.fromkeys(LANGUAGES.values(), 0.1)
        return partial(ToneEmbedder, heard)


def test_a_recording_without_language_is_named(corpus: Path) -> None:
    rows = list(csv.DictReader((corpus / "metadata.csv").open()))
    rows[3]["language"] = ""
    with (corpus / "metadata.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(DataError, match=r"1 recordings .* have no language, s1/r3.wav"):
        read_language_list(corpus)


def test_one_language_alone_is_refused(corpus: Path) -> None:
    lines = (corpus / "trials_test.txt").read_text().splitlines()
    zh = [line for line in lines if all(int(name.split("/r")[1][:-4]) < 12 for name in line.split()[1:])]
    (corpus / "zh.txt").write_text("\n".join(zh))
    with pytest.raises(UsageError, match="all trials are zh-zh"):
        compare_languages([Hearing("n", "float", Path())], read_language_list(corpus / "zh.txt"))


def test_a_part_without_targets_is_left_out_with_the_reason(corpus: Path) -> None:
    lines = (corpus / "trials_test.txt").read_text().splitlines()
    across = [line for line in lines if len({int(name.split("/r")[1][:-4]) < 12 for name in line.split()[1:]}) == 2]
    kept = [line for line in lines if line not in across or line.startswith("0")]
    (corpus / "some.txt").write_text("\n".join(kept))
    report = compare_languages([Hearing("n", "float", Path())], read_language_list(corpus / "some.txt"), jobs=1)
    assert report.skipped == {"zh-en": "0 target trials of 120: no error rates"}
    assert len(report.pairs) == 2


def test_a_list_of_which_no_part_can_be_judged_is_refused(corpus: Path) -> None:
    lines = (corpus / "trials_test.txt").read_text().splitlines()
    single = [line for line in lines if line.startswith("1")][:1]
    across = [line for line in lines if line.startswith("0") and _is_across(line)]
    (corpus / "none.txt").write_text("\n".join(single + across))
    trials = read_language_list(corpus / "none.txt")
    with pytest.raises(UsageError, match="no language pair has both") as caught:
        compare_languages([Hearing("n", "float", Path())], trials, jobs=1)
    assert len(caught.value.details) == 2


def _is_across(line: str) -> bool:
    return len({int(name.split("/r")[1][:-4]) < 12 for name in line.split()[1:]}) == 2


def test_speakers_that_contradict_the_labels_are_refused(corpus: Path) -> None:
    text = (corpus / "trials_test.txt").read_text()
    (corpus / "wrong.txt").write_text(text.replace("1 s0/", "0 s0/", 1))
    with pytest.raises(DataError, match=r"1 trials .* contradict"):
        read_language_list(corpus / "wrong.txt")
