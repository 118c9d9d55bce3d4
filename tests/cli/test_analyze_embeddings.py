"""`edge-sv analyze probe` and `edge-sv analyze languages` as a user runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import VOICES, Run


def test_what_is_missing_is_said(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="pip install 'edge-sv[analyze]'")
    options = ("resnet-nano", "--no-float", "--data", tmp_path / "index.csv")
    ran = run("analyze", "probe", *options, "--task", "gendr")
    assert ran.code == 2 and "did you mean 'gender'?" in ran.err
    (tmp_path / "index.csv").write_text(f"path,speaker,corpus,split\n{VOICES / 'ada_1.flac'},ada,voices,test\n")
    ran = run("analyze", "probe", *options)
    assert ran.code == 3 and "has no recordings for any probing task" in ran.err and "voices" in ran.err


def test_languages_of_a_list(run: Run, tmp_path: Path) -> None:
    names = sorted(path.name for path in VOICES.glob("*.flac"))
    rows = [f"{name},{VOICES / name},{name[:3]},{'en' if '_1' in name or '_2' in name else 'de'}" for name in names]
    (tmp_path / "utterances.csv").write_text("utt_id,files,speaker,language\n" + "\n".join(rows) + "\n")
    pairs = [(a, b) for number, a in enumerate(names) for b in names[number + 1 :]]
    (tmp_path / "trials_test.txt").write_text("".join(f"{int(a[:3] == b[:3])} {a} {b}\n" for a, b in pairs))
    ran = run("analyze", "languages", "resnet-nano", "--no-float", "--trials", tmp_path, "--jobs", 1)
    assert ran.code == 0, ran.err
    assert "en" in ran.out and "static_wi8_ai8" in ran.out
    values = run("analyze", "languages", "resnet-nano", "--no-float", "--trials", tmp_path, "--jobs", 1, "--json")
    assert values.document["runtime"] == "tflite"


def test_a_list_without_languages(run: Run, tmp_path: Path) -> None:
    (tmp_path / "trials_test.txt").write_text("1 a b\n")
    ran = run("analyze", "languages", "resnet-nano", "--no-float", "--trials", tmp_path)
    assert ran.code == 3 and "language" in ran.err
