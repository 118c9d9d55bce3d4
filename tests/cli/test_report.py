"""`edge-sv report` on a run that has everything: a float net, its history, a converted form; speech of two corpora."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.cli.app import main
from edge_sv.report.page import SECTIONS
from edge_sv.training.history import to_csv
from tests.corpora import write_wav
from tests.described_corpora import write_described
from tests.html_page import Page
from tests.nets import make_converted_net

pytest.importorskip("tensorflow", reason="the run's float net is built in Keras: pip install 'edge-sv[train]'")
pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'edge-sv[plot]'")
pytest.importorskip("sklearn", reason="probing needs scikit-learn: pip install 'edge-sv[analyze]'")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpus `aa` tells genders, `bb` has two languages; both have a test list. `tt` is trained on, and so not used."""
    folder = tmp_path_factory.mktemp("speech")
    people = [
        {"speaker": f"p{n:02}", "tones": f"{20 + 3 * n} {70 + n % 2}", "gender": "fm"[n % 2]}
        for n in range(12)
        for _ in range(4)
    ]
    bilingual = [
        {"speaker": f"b{n}", "tones": f"{25 + 5 * n} {80 + number}", "language": language}
        for n in range(4)
        for number, language in enumerate(("zh", "en"))
        for _ in range(2)
    ]
    for corpus, rows in (("aa", people), ("bb", bilingual)):
        write_described(folder, rows, corpus=corpus)
        names = [f"{row['speaker']}/r{number}.wav" for number, row in enumerate(rows)][:20]
        trials = [f"{int(a[:3] == b[:3])} {a} {b}\n" for a, b in itertools.combinations(names, 2)]
        (folder / corpus / "trials_test.txt").write_text("".join(trials))
    return write_described(folder, [{"speaker": "t", "tones": "33"}], corpus="tt", split="train")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_converted_net(tmp_path_factory.mktemp("runs") / "my-run")
    rows = [{"epoch": float(n), "loss": 3.0 / n, "dev_eer_aa": 0.2 / n, "dev_eer": 0.25 / n} for n in (1, 2, 3)]
    (folder / "history.csv").write_bytes(to_csv(rows))
    return folder


def report(*args: object, patch: pytest.MonkeyPatch, cache: Path) -> object:
    patch.setattr(sys, "argv", ["edge-sv", "report", *map(str, args)])
    patch.setenv("XDG_CACHE_HOME", str(cache))
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.fixture(scope="module")
def whole(run: Path, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report with speech."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        assert report(run, "--data", speech, "--out", out, "--jobs", 1, patch=patch, cache=out / "cache") == 0
    return out


@pytest.fixture(scope="module")
def document(whole: Path) -> dict[str, Any]:
    return json.loads((whole / "report.json").read_text())


def test_all_sections_are_there(whole: Path, document: dict[str, Any]) -> None:
    page = Page((whole / "report.html").read_text())
    wanted = {section.id for section in SECTIONS} - {"check", "left-out"}
    assert wanted <= set(page.values("id"))
    assert [row["section"] for row in document["left_out"]] == []


def test_nothing_comes_from_outside(whole: Path) -> None:
    text = (whole / "report.html").read_text()
    page = Page(text)
    assert not page.tags["link"] and not page.tags["script"] and not page.tags["img"]
    assert not [value for _, name, value in page.attributes if name in ("src", "srcset", "data")]
    assert {value for value in page.values("href") if not value.startswith("#")} == {"report.json"}
    assert not re.findall(r"@import|url\((?!#)", text)
    assert set(re.findall(r"https?://[^\s\"']+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_it_can_be_read_by_machines_and_people_who_cannot_see(whole: Path) -> None:
    page = Page((whole / "report.html").read_text())
    assert page.open == []
    ids = Counter(page.values("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    references = [value for value in page.values("href") + page.values("xlink:href") if value.startswith("#")]
    assert references and {value[1:] for value in references} <= set(ids)
    assert page.tags["caption"] == page.tags["table"] > 8
    assert page.tags["svg"] == page.tags["figcaption"] == page.tags["figure"] > 8
    assert set(page.values("aria-labelledby")) <= set(ids)
    assert not [1 for tag, name, value in page.attributes if tag == "th" and name == "scope" and not value]
    assert "lang" in [name for tag, name, _ in page.attributes if tag == "html"]


def test_the_page_shows_the_documents_figures(whole: Path, document: dict[str, Any]) -> None:
    text = " ".join(Page((whole / "report.html").read_text()).words)
    pooled = document["lists"][-1]
    assert pooled["trials"] == sum(each["trials"] for each in document["lists"][:-1])
    for errors in pooled["errors"]:
        assert f"{100 * errors['eer']:.2f}" in text
    for probe in document["probes"]["probes"]:
        assert f"{100 * probe['readings'][1]['accuracy']:.1f}" in text
    (languages,) = document["languages"]
    assert [pair["name"] for pair in languages["pairs"]] == ["en-en", "zh-zh", "zh-en"]
    (form,) = document["forms"]
    assert f"{form['flash']['cortex-m']['total']:,}" in text
    assert document["command"] in text
    assert "no metadata for it" in text, "what could not be probed is said"


def test_the_models_are_compared_with_float(document: dict[str, Any]) -> None:
    own, converted = document["models"]
    assert own["is_float"] and not converted["is_float"]
    assert own["bytes"] == 4 * document["nets"][0]["parameters"]
    assert converted["ratio"] == pytest.approx(own["bytes"] / converted["bytes"]) and converted["ratio"] > 2
    errors = document["lists"][0]["errors"]
    assert errors[0]["drift"] is None and errors[1]["drift"]["flips"]["trials"] == document["lists"][0]["trials"]
    assert errors[1]["change"] == pytest.approx(errors[1]["eer"] - errors[0]["eer"])
    assert document["nets"][0]["history"]["epoch"] == [1, 2, 3]


def test_the_same_again_gives_the_same_bytes(
    whole: Path, run: Path, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time embeddings come from the cache; recordings are not even read."""
    before = {name: (whole / name).read_bytes() for name in ("report.html", "report.json")}
    again = tmp_path / "again"
    code = report(run, "--data", speech, "--out", again, "--jobs", 1, patch=monkeypatch, cache=whole / "cache")
    assert code == 0
    named = {name: (again / name).read_bytes().replace(str(again).encode(), str(whole).encode()) for name in before}
    assert named == before


def test_without_speech_the_rest_is_shown_and_the_reason_said(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / "history.csv").unlink()
    assert report(bare, "--out", tmp_path / "out", "--json", patch=monkeypatch, cache=tmp_path) == 0
    printed = json.loads(capsys.readouterr().out)
    reasons = {row["section"]: row["reason"] for row in printed["left_out"]}
    assert reasons["training history"] == f"no history.csv in {bare}"
    assert reasons["probing"] == "no speech was given (--data INDEX.csv)"
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "flash" in page.values("id") and "lists" not in page.values("id")
    assert "no speech was given" in " ".join(page.words)


def test_a_float_net_alone_is_a_report(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(run, alone, ignore=shutil.ignore_patterns("static_wi8_ai8"))
    assert report(alone, "--out", tmp_path / "out", patch=monkeypatch, cache=tmp_path) == 0
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert {"nets", "history", "weights"} <= set(page.values("id")) and "flash" not in page.values("id")


def test_damaged_files_are_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "history.csv").write_text("epoch,loss\n1,nothing\n")
    assert report(damaged, "--out", tmp_path / "out", patch=monkeypatch, cache=tmp_path) == 3
    assert "history.csv is damaged" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_recording_ends_the_report(
    run: Path, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong data is an error, not a section that is left out."""
    copy = tmp_path / "speech"
    shutil.copytree(speech.parent, copy)
    write_wav(copy / "aa" / "p00" / "r0.wav", np.zeros(1))
    code = report(run, "--data", copy / "index.csv", "--out", tmp_path / "out", patch=monkeypatch, cache=tmp_path)
    assert code == 3
    assert "p00/r0.wav" in capsys.readouterr().err
