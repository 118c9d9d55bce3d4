"""`edge-sv enroll` as a user runs it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
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


def test_recordings_that_are_added_at_the_same_time_are_all_in_the_print(ada_print: Path) -> None:
    before = load_print(ada_print).recordings
    command = [sys.executable, "-m", "edge_sv", "enroll", str(ada_print), ADA_LATER, "--add"]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(timeout=120) for process in running] == [0] * 4
    assert load_print(ada_print).recordings == before + 4


def test_of_two_first_enrollments_at_the_same_time_one_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge_sv", "enroll", str(tmp_path / "new" / "ada.print"), *ADA]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert sorted(process.wait(timeout=120) for process in running) == [0, 2, 2]


def test_adding_through_a_link_changes_what_it_leads_to(ada_print: Path, tmp_path: Path) -> None:
    link = tmp_path / "links" / "ada.print"
    link.parent.mkdir()
    link.symlink_to(ada_print)
    assert edge_sv("enroll", link, ADA_LATER, "--add").returncode == 0
    assert link.is_symlink() and load_print(ada_print).recordings == 4
    result = edge_sv("wipe", link)
    assert result.returncode == 0 and not link.is_symlink() and not ada_print.exists()


@pytest.mark.parametrize(
    "command", [["verify", "{pipe}", ADA_LATER], ["enroll", "{pipe}", ADA_LATER, "--add"], ["wipe", "{pipe}"]]
)
def test_a_pipe_in_the_place_of_a_print_is_refused_at_once(tmp_path: Path, command: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    words = [word.format(pipe=tmp_path / "pipe") for word in command]
    expect_error(edge_sv(*words), 3, "a pipe, not a file")
