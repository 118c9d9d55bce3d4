"""`edge-sv verify` as a user runs it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
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
from tests.cli.commands import ADA, ADA_LATER, BEA, VOICES, edge_sv, expect_error

MODEL = assets_dir() / "resnet-nano" / "static_wi8_ai8"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return soundfile.read(ADA_LATER, dtype="float32")[0]


@pytest.mark.parametrize("runtime", ["tflite", "tflm"])
def test_accepts_the_voice_and_rejects_others(enrolled: Path, runtime: str) -> None:
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
def test_float_net_verifies_its_own_prints_only(enrolled: Path, tmp_path: Path) -> None:
    assert edge_sv("enroll", tmp_path / "float.print", *ADA, "--runtime", "keras").returncode == 0
    result = edge_sv("verify", tmp_path / "float.print", ADA_LATER, "--runtime", "keras", "--json")
    assert json.loads(result.stdout)["accepted"] is True
    expect_error(edge_sv("verify", tmp_path / "float.print", ADA_LATER), 3, "another model")


def test_json_is_one_document(enrolled: Path) -> None:
    result = edge_sv("verify", enrolled, BEA, "--json")
    document = json.loads(result.stdout)
    assert result.returncode == 10
    assert document["accepted"] is False
    assert document["score"] < document["threshold"]
    assert 0 < document["false_accept_rate"] < 0.1
    assert document["model_sha256"] == load_print(enrolled).model_sha256


def test_threshold_can_be_chosen(enrolled: Path) -> None:
    document = json.loads(edge_sv("verify", enrolled, BEA, "--json", "--threshold", "-99").stdout)
    assert document["accepted"] is True
    assert document["false_accept_rate"] is None
    assert edge_sv("verify", enrolled, ADA_LATER, "--threshold", "99").returncode == 10
    expect_error(edge_sv("verify", enrolled, BEA, "--threshold", "nan"), 2, "impossible")


def test_never_imports_tensorflow(enrolled: Path) -> None:
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


def test_takes_exactly_one_recording(enrolled: Path) -> None:
    expect_error(edge_sv("verify", enrolled), 2, "one recording")
    expect_error(edge_sv("verify", enrolled, BEA, "--mic", "3"), 2, "one recording")


def test_missing_print(tmp_path: Path) -> None:
    expect_error(edge_sv("verify", tmp_path / "no.print", BEA), 3, "no.print", "edge-sv enroll")


def test_damaged_print(ada_print: Path) -> None:
    data = bytearray(ada_print.read_bytes())
    data[80] ^= 1
    ada_print.write_bytes(data)
    expect_error(edge_sv("verify", ada_print, BEA), 3, str(ada_print), "damaged", "checksum")
    ada_print.write_bytes(data[:70])
    expect_error(edge_sv("verify", ada_print, BEA), 3, str(ada_print), "cut short")


def test_print_of_another_model(ada_print: Path) -> None:
    foreign = replace(load_print(ada_print), model_sha256="0123456789ab" + "c" * 52)
    save_print(ada_print, foreign)
    expect_error(edge_sv("verify", ada_print, BEA), 3, "another model", "0123456789ab", "enroll again")


def test_print_open_to_others_brings_a_warning(ada_print: Path) -> None:
    ada_print.chmod(0o644)
    result = edge_sv("verify", ada_print, ADA_LATER)
    assert result.returncode == 0
    assert "warning: voice print" in result.stderr
    assert "chmod 600" in result.stderr


def test_unknown_model_and_runtime(enrolled: Path) -> None:
    expect_error(edge_sv("verify", enrolled, BEA, "--model", "resnet-nanno"), 2, "did you mean 'resnet-nano'")
    expect_error(edge_sv("verify", enrolled, BEA, "--runtime", "tflmm"), 2, "did you mean 'tflm'")


def test_damaged_model(enrolled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    data = bytearray((folder / "model.tflite").read_bytes())
    data[len(data) // 2] ^= 255
    (folder / "model.tflite").write_bytes(data)
    expect_error(edge_sv("verify", enrolled, BEA, "--model", folder), 3, "model.tflite", "damaged")


def _verify(enrolled: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return edge_sv("verify", enrolled, path, "--json")


def test_bad_files_are_refused_with_the_reason(enrolled: Path, tmp_path: Path, speech: np.ndarray) -> None:
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
        expect_error(_verify(enrolled, path), 3, str(path), reason)


def test_missing_file(enrolled: Path, tmp_path: Path) -> None:
    expect_error(_verify(enrolled, tmp_path / "no.wav"), 3, "no.wav")


def test_rate_width_and_channels_do_not_matter(enrolled: Path, tmp_path: Path, speech: np.ndarray) -> None:
    plain = json.loads(_verify(enrolled, Path(ADA_LATER)).stdout)["score"]
    studio = soxr.resample(speech, 16000, 44100)
    soundfile.write(tmp_path / "studio.wav", np.stack([studio, studio], axis=1), 44100, subtype="PCM_24")
    assert json.loads(_verify(enrolled, tmp_path / "studio.wav").stdout)["score"] == pytest.approx(plain, abs=0.03)


def test_telephone_band_is_heard(enrolled: Path, tmp_path: Path, speech: np.ndarray) -> None:
    soundfile.write(tmp_path / "phone.wav", soxr.resample(speech, 16000, 8000), 8000)
    result = _verify(enrolled, tmp_path / "phone.wav")
    assert result.returncode in (0, 10), result.stderr
    assert np.isfinite(json.loads(result.stdout)["score"])


def test_a_recording_may_come_through_a_pipe(enrolled: Path, tmp_path: Path) -> None:
    given = json.loads(edge_sv("verify", enrolled, ADA_LATER, "--json").stdout)["score"]
    piped = edge_sv("verify", enrolled, "-", "--json", stdin=Path(ADA_LATER).read_bytes())
    assert json.loads(piped.stdout)["score"] == given
    expect_error(edge_sv("verify", enrolled, "-", stdin=b""), 3, "standard input is empty")
    os.mkfifo(tmp_path / "nobody.wav")
    expect_error(edge_sv("verify", enrolled, tmp_path / "nobody.wav"), 3, "nobody.wav is empty")


def test_samples_without_a_header(enrolled: Path, tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(64000))
    expect_error(edge_sv("verify", enrolled, tmp_path / "a.raw"), 3, "a.raw has no header", "sox -r 16000")


def test_another_scoring_needs_a_threshold(enrolled: Path) -> None:
    expect_error(edge_sv("verify", enrolled, BEA, "--scoring", "as_norm"), 2, "no threshold for as_norm", "--threshold")
    expect_error(edge_sv("verify", enrolled, BEA, "--scoring", "as-norm"), 2, "did you mean 'as_norm'")
    done = edge_sv("verify", enrolled, ADA_LATER, "--scoring", "as_norm", "--threshold", "3", "--json")
    document = json.loads(done.stdout)
    assert (document["scoring"], document["threshold"], document["accepted"]) == ("as_norm", 3.0, True)
    assert edge_sv("verify", enrolled, BEA, "--scoring", "as_norm", "--threshold", "3").returncode == 10
