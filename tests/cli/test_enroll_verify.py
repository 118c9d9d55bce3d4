"""`edge-sv enroll` and `edge-sv verify` as a user runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from edge_sv.system.bundled import assets_dir
from edge_sv.verification.voice_print import load_print, save_print

VOICES = assets_dir() / "voices"
ADA = [str(VOICES / f"ada_{i}.flac") for i in (1, 2, 3)]
ADA_LATER = str(VOICES / "ada_4.flac")
BEA = str(VOICES / "bea_1.flac")
MODEL = assets_dir() / "resnet-nano" / "static_wi8_ai8"


def edge_sv(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_sv", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def expect_error(result: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """Check exit code and words of an error that is told in words: no traceback, nothing on stdout."""
    assert result.returncode == code, result.stderr
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    for text in texts:
        assert text in result.stderr


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prints") / "ada.print"
    result = edge_sv("enroll", path, *ADA, "--name", "Ada")
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture
def ada_print(enrolled: Path, tmp_path: Path) -> Path:
    """A print that the test may change."""
    return Path(shutil.copy(enrolled, tmp_path / "ada.print"))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return soundfile.read(ADA_LATER, dtype="float32")[0]


class TestEnroll:
    def test_print_belongs_to_its_owner(self, enrolled: Path) -> None:
        assert stat.S_IMODE(enrolled.stat().st_mode) == 0o600
        assert (load_print(enrolled).recordings, load_print(enrolled).name) == (3, "Ada")

    def test_json_is_one_document(self, tmp_path: Path) -> None:
        result = edge_sv("enroll", tmp_path / "ada.print", *ADA, "--json")
        document = json.loads(result.stdout)
        assert document["schema_version"] == 1
        assert document["recordings"] == document["added"] == 3
        assert document["model_sha256"] == load_print(tmp_path / "ada.print").model_sha256

    def test_same_recordings_give_the_same_bytes(self, enrolled: Path, tmp_path: Path) -> None:
        edge_sv("enroll", tmp_path / "again.print", *ADA, "--name", "Ada")
        assert (tmp_path / "again.print").read_bytes() == enrolled.read_bytes()

    def test_existing_print_needs_force_or_add(self, ada_print: Path) -> None:
        before = ada_print.read_bytes()
        expect_error(edge_sv("enroll", ada_print, BEA), 2, "exists", "--add", "--force")
        expect_error(edge_sv("enroll", ada_print, BEA, "--add", "--force"), 2, "choose one")
        assert ada_print.read_bytes() == before
        assert edge_sv("enroll", ada_print, BEA, "--force").returncode == 0
        assert load_print(ada_print).recordings == 1

    def test_add_goes_on_from_the_print(self, ada_print: Path) -> None:
        result = edge_sv("enroll", ada_print, ADA_LATER, "--add")
        assert result.returncode == 0
        assert "4 (1 added)" in result.stdout
        assert (load_print(ada_print).recordings, load_print(ada_print).name) == (4, "Ada")

    def test_a_stranger_among_the_recordings_brings_a_warning(self, tmp_path: Path) -> None:
        result = edge_sv("enroll", tmp_path / "ada.print", *ADA, BEA)
        assert result.returncode == 0
        assert "warning: recording 4 scores" in result.stderr

    def test_nothing_to_enroll(self, tmp_path: Path) -> None:
        expect_error(edge_sv("enroll", tmp_path / "ada.print"), 2, "nothing to enroll", "--mic")

    def test_add_to_nothing(self, tmp_path: Path) -> None:
        expect_error(edge_sv("enroll", tmp_path / "no.print", *ADA, "--add"), 3, "no.print")

    def test_unwritable_place(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        expect_error(edge_sv("enroll", tmp_path / "file" / "ada.print", *ADA), 3, "cannot write")

    def test_one_bad_recording_writes_no_print(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "silence.wav", np.zeros(32000), 16000)
        expect_error(
            edge_sv("enroll", tmp_path / "ada.print", *ADA, tmp_path / "silence.wav"), 3, "silence.wav is silent"
        )
        assert not (tmp_path / "ada.print").exists()


class TestVerify:
    @pytest.mark.parametrize("runtime", ["tflite", "tflm"])
    def test_accepts_the_voice_and_rejects_others(self, enrolled: Path, runtime: str) -> None:
        if runtime == "tflm" and importlib.util.find_spec("tflite_micro") is None:
            pytest.skip("tflite-micro is not installed: pip install 'edge-sv[micro]'")
        accepted = edge_sv("verify", enrolled, ADA_LATER, "--runtime", runtime)
        assert accepted.returncode == 0, accepted.stderr
        assert "accepted" in accepted.stdout
        for name in ("bea_1", "bea_2", "carl_1", "carl_2", "dan_1"):
            rejected = edge_sv("verify", enrolled, VOICES / f"{name}.flac", "--runtime", runtime)
            assert rejected.returncode == 10, f"{name}: {rejected.stdout}"
            assert "rejected" in rejected.stdout

    @pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None,
        reason="TensorFlow is not installed: pip install 'edge-sv[train]'",
    )
    def test_float_net_verifies_its_own_prints_only(self, enrolled: Path, tmp_path: Path) -> None:
        assert edge_sv("enroll", tmp_path / "float.print", *ADA, "--runtime", "keras").returncode == 0
        result = edge_sv("verify", tmp_path / "float.print", ADA_LATER, "--runtime", "keras", "--json")
        assert json.loads(result.stdout)["accepted"] is True
        expect_error(edge_sv("verify", tmp_path / "float.print", ADA_LATER), 3, "another model")

    def test_json_is_one_document(self, enrolled: Path) -> None:
        result = edge_sv("verify", enrolled, BEA, "--json")
        document = json.loads(result.stdout)
        assert result.returncode == 10
        assert document["accepted"] is False
        assert document["score"] < document["threshold"]
        assert 0 < document["false_accept_rate"] < 0.1
        assert document["model_sha256"] == load_print(enrolled).model_sha256

    def test_threshold_can_be_chosen(self, enrolled: Path) -> None:
        document = json.loads(edge_sv("verify", enrolled, BEA, "--json", "--threshold", "-99").stdout)
        assert document["accepted"] is True
        assert document["false_accept_rate"] is None
        assert edge_sv("verify", enrolled, ADA_LATER, "--threshold", "99").returncode == 10
        expect_error(edge_sv("verify", enrolled, BEA, "--threshold", "nan"), 2, "impossible")

    def test_never_imports_tensorflow(self, enrolled: Path) -> None:
        program = (
            "import sys; from edge_sv.cli.app import main\n"
            "try: main()\n"
            "finally: print(sorted({name.split('.')[0] for name in sys.modules}))"
        )
        result = subprocess.run(
            [sys.executable, "-c", program, "verify", enrolled, ADA_LATER], capture_output=True, text=True
        )
        assert "accepted" in result.stdout
        assert "'ai_edge_litert'" in result.stdout
        for name in ("tensorflow", "tf_keras", "keras", "edge_sv_converters"):
            assert f"'{name}'" not in result.stdout

    def test_takes_exactly_one_recording(self, enrolled: Path) -> None:
        expect_error(edge_sv("verify", enrolled), 2, "one recording")
        expect_error(edge_sv("verify", enrolled, BEA, "--mic", "3"), 2, "one recording")

    def test_missing_print(self, tmp_path: Path) -> None:
        expect_error(edge_sv("verify", tmp_path / "no.print", BEA), 3, "no.print", "edge-sv enroll")

    def test_damaged_print(self, ada_print: Path) -> None:
        data = bytearray(ada_print.read_bytes())
        data[80] ^= 1
        ada_print.write_bytes(data)
        expect_error(edge_sv("verify", ada_print, BEA), 3, str(ada_print), "damaged", "checksum")
        ada_print.write_bytes(data[:70])
        expect_error(edge_sv("verify", ada_print, BEA), 3, str(ada_print), "cut short")

    def test_print_of_another_model(self, ada_print: Path) -> None:
        foreign = replace(load_print(ada_print), model_sha256="0123456789ab" + "c" * 52)
        save_print(ada_print, foreign)
        expect_error(edge_sv("verify", ada_print, BEA), 3, "another model", "0123456789ab", "enroll again")

    def test_print_open_to_others_brings_a_warning(self, ada_print: Path) -> None:
        ada_print.chmod(0o644)
        result = edge_sv("verify", ada_print, ADA_LATER)
        assert result.returncode == 0
        assert "warning: voice print" in result.stderr
        assert "chmod 600" in result.stderr

    def test_unknown_model_and_runtime(self, enrolled: Path) -> None:
        expect_error(edge_sv("verify", enrolled, BEA, "--model", "resnet-nanno"), 2, "did you mean 'resnet-nano'")
        expect_error(edge_sv("verify", enrolled, BEA, "--runtime", "tflmm"), 2, "did you mean 'tflm'")

    def test_damaged_model(self, enrolled: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
        data = bytearray((folder / "model.tflite").read_bytes())
        data[len(data) // 2] ^= 255
        (folder / "model.tflite").write_bytes(data)
        expect_error(edge_sv("verify", enrolled, BEA, "--model", folder), 3, "model.tflite", "damaged")


class TestRecordings:
    """What a user may pass for a recording."""

    def verify(self, enrolled: Path, path: Path) -> subprocess.CompletedProcess[str]:
        return edge_sv("verify", enrolled, path, "--json")

    def test_bad_files_are_refused_with_the_reason(self, enrolled: Path, tmp_path: Path, speech: np.ndarray) -> None:
        cases = {
            "empty": lambda path: path.write_bytes(b""),
            "not a readable sound file": lambda path: path.write_text("dear diary\n" * 100),
            "cut off": lambda path: path.write_bytes(wav(speech)[:20000]),
            "too short": lambda path: soundfile.write(path, speech[:1], 16000),
            "silent": lambda path: soundfile.write(path, np.zeros(32000), 16000),
            "NaN": lambda path: soundfile.write(path, np.full(32000, np.nan), 16000, subtype="FLOAT"),
        }

        def wav(samples: np.ndarray) -> bytes:
            soundfile.write(tmp_path / "whole.wav", samples, 16000)
            return (tmp_path / "whole.wav").read_bytes()

        for reason, write in cases.items():
            path = tmp_path / "case.wav"
            write(path)
            expect_error(self.verify(enrolled, path), 3, str(path), reason)

    def test_missing_file(self, enrolled: Path, tmp_path: Path) -> None:
        expect_error(self.verify(enrolled, tmp_path / "no.wav"), 3, "no.wav")

    def test_rate_width_and_channels_do_not_matter(self, enrolled: Path, tmp_path: Path, speech: np.ndarray) -> None:
        plain = json.loads(self.verify(enrolled, Path(ADA_LATER)).stdout)["score"]
        studio = soxr.resample(speech, 16000, 44100)
        soundfile.write(tmp_path / "studio.wav", np.stack([studio, studio], axis=1), 44100, subtype="PCM_24")
        assert json.loads(self.verify(enrolled, tmp_path / "studio.wav").stdout)["score"] == pytest.approx(
            plain, abs=0.03
        )

    def test_telephone_band_is_heard(self, enrolled: Path, tmp_path: Path, speech: np.ndarray) -> None:
        soundfile.write(tmp_path / "phone.wav", soxr.resample(speech, 16000, 8000), 8000)
        result = self.verify(enrolled, tmp_path / "phone.wav")
        assert result.returncode in (0, 10), result.stderr
        assert np.isfinite(json.loads(result.stdout)["score"])


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="sounddevice is installed here")
def test_microphone_without_sounddevice(enrolled: Path, tmp_path: Path) -> None:
    expect_error(edge_sv("verify", enrolled, "--mic", "3"), 6, "pip install sounddevice")
    expect_error(edge_sv("enroll", tmp_path / "me.print", "--mic", "3"), 6, "pip install sounddevice")
    expect_error(edge_sv("verify", enrolled, "--mic", "0"), 2, "cannot record 0 s")


def test_wipe_removes_prints_and_says_which(ada_print: Path) -> None:
    result = edge_sv("wipe", ada_print, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["wiped"] == [str(ada_print)]
    assert not ada_print.exists()


def test_wipe_removes_damaged_prints(ada_print: Path) -> None:
    ada_print.write_bytes(ada_print.read_bytes()[:40])
    assert edge_sv("wipe", ada_print).returncode == 0
    assert not ada_print.exists()


def test_wipe_touches_nothing_when_one_file_is_no_print(ada_print: Path, tmp_path: Path) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_text("Dear diary")
    expect_error(edge_sv("wipe", ada_print, diary), 3, "diary.txt is not a voice print", "nothing was wiped")
    assert diary.read_text() == "Dear diary"
    assert ada_print.exists()


def test_wipe_of_a_missing_print(tmp_path: Path) -> None:
    expect_error(edge_sv("wipe", tmp_path / "none.print"), 3, "none.print")


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
