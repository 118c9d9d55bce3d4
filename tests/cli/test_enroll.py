"""`edge-sv enroll` as a user runs it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import soundfile

from edge_sv.verification.voice_print import load_print
from tests.cli.commands import ADA, ADA_LATER, BEA, edge_sv, expect_error


def test_print_belongs_to_its_owner(enrolled: Path) -> None:
    assert stat.S_IMODE(enrolled.stat().st_mode) == 0o600
    assert (load_print(enrolled).recordings, load_print(enrolled).name) == (3, "Ada")


def test_json_is_one_document(tmp_path: Path) -> None:
    result = edge_sv("enroll", tmp_path / "ada.print", *ADA, "--json")
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert document["recordings"] == document["added"] == 3
    assert document["model_sha256"] == load_print(tmp_path / "ada.print").model_sha256


def test_same_recordings_give_the_same_bytes(enrolled: Path, tmp_path: Path) -> None:
    edge_sv("enroll", tmp_path / "again.print", *ADA, "--name", "Ada")
    assert (tmp_path / "again.print").read_bytes() == enrolled.read_bytes()


def test_existing_print_needs_force_or_add(ada_print: Path) -> None:
    before = ada_print.read_bytes()
    expect_error(edge_sv("enroll", ada_print, BEA), 2, "exists", "--add", "--force")
    expect_error(edge_sv("enroll", ada_print, BEA, "--add", "--force"), 2, "choose one")
    assert ada_print.read_bytes() == before
    assert edge_sv("enroll", ada_print, BEA, "--force").returncode == 0
    assert load_print(ada_print).recordings == 1


def test_add_goes_on_from_the_print(ada_print: Path) -> None:
    result = edge_sv("enroll", ada_print, ADA_LATER, "--add")
    assert result.returncode == 0
    assert "4 (1 added)" in result.stdout
    assert (load_print(ada_print).recordings, load_print(ada_print).name) == (4, "Ada")


def test_a_stranger_among_the_recordings_brings_a_warning(tmp_path: Path) -> None:
    result = edge_sv("enroll", tmp_path / "ada.print", *ADA, BEA)
    assert result.returncode == 0
    assert "warning: recording 4 scores" in result.stderr


def test_nothing_to_enroll(tmp_path: Path) -> None:
    expect_error(edge_sv("enroll", tmp_path / "ada.print"), 2, "nothing to enroll", "--mic")


def test_add_to_nothing(tmp_path: Path) -> None:
    expect_error(edge_sv("enroll", tmp_path / "no.print", *ADA, "--add"), 3, "no.print")


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    expect_error(edge_sv("enroll", tmp_path / "file" / "ada.print", *ADA), 3, "cannot write")


def test_one_bad_recording_writes_no_print(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(32000), 16000)
    expect_error(edge_sv("enroll", tmp_path / "ada.print", *ADA, tmp_path / "silence.wav"), 3, "silence.wav is silent")
    assert not (tmp_path / "ada.print").exists()
