"""`edge-sv demo` as a user runs it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sv.emulation import tools_missing
from edge_sv.pipeline.demo import BUNDLED_SPEAKER, bundled_voices
from edge_sv.system.bundled import assets_dir

VOICES = assets_dir() / "voices"

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"{package} is not installed: pip install 'edge-sv[{extra}]'"
    )
    for package, extra in {"tensorflow": "train", "tflite_micro": "micro"}.items()
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def edge_sv(work: Path, *args: object, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_sv", *map(str, args)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(work / "cache"), "NO_COLOR": "1", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def demo(work: Path, *args: object) -> dict[str, Any]:
    result = edge_sv(work, "demo", "--out", work / "package", "--json", *args)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture(scope="module")
def bundled(work: Path) -> dict[str, Any]:
    return demo(work)


def test_enrolled_voice_is_accepted_and_others_are_rejected(bundled: dict[str, Any]) -> None:
    accepted = {heard["recording"]: heard["accepted"] for heard in bundled["verified"]}
    assert bundled["enrolled"] == ["ada_1", "ada_2", "ada_3"]
    assert accepted == {"ada_4": True, "bea_1": False, "bea_2": False, "carl_1": False, "carl_2": False, "dan_1": False}


def test_figures_are_those_of_the_package(bundled: dict[str, Any], work: Path) -> None:
    package = Path(bundled["package"])
    manifest = json.loads((package / "manifest.json").read_text())
    assert package == work / "package"
    assert bundled["model_bytes"] == manifest["model"]["bytes"] == (package / "model.tflite").stat().st_size
    assert bundled["arena_bytes"] == manifest["arena"]["bytes"] > 0
    assert bundled["scoring"] == manifest["scoring"]


def test_scores_are_those_of_the_package_in_tflm(bundled: dict[str, Any], work: Path) -> None:
    enrolled, verified = bundled_voices()
    tflm = ("--model", work / "package", "--runtime", "tflm")
    assert edge_sv(work, "enroll", work / "ada.print", *enrolled, *tflm).returncode == 0
    for path, heard in zip(verified, bundled["verified"], strict=True):
        alone = json.loads(edge_sv(work, "verify", work / "ada.print", path, *tflm, "--json").stdout)
        assert alone["score"] == pytest.approx(heard["score"], abs=1e-6)
        assert alone["accepted"] is heard["accepted"]


def test_float_net_scores_beside_it(bundled: dict[str, Any]) -> None:
    changes = [abs(heard["score"] - heard["float_score"]) for heard in bundled["verified"]]
    assert bundled["largest_score_change"] == pytest.approx(max(changes))
    assert 0 < max(changes) < 0.1, "int8 is close to float, and is not float"
    assert 0.99 <= bundled["cosine_to_float"] < 1


@pytest.mark.emulator
def test_an_emulated_board_decides_the_same(bundled: dict[str, Any]) -> None:
    if missing := tools_missing():
        pytest.skip(f"{missing[0]} not found: scripts/install-tools")
    emulation = bundled["emulation"]
    assert emulation["board"] == "nrf52840" and emulation["bit_exact"] is True
    for there, here in zip(emulation["verified"], bundled["verified"], strict=True):
        assert (there["recording"], there["accepted"]) == (here["recording"], here["accepted"])
        assert there["score"] == pytest.approx(here["score"], abs=0.02), "the front ends differ by rounding"
    assert emulation["instructions"]["total"] > 1e6


def test_without_the_tools_the_demo_goes_on(bundled: dict[str, Any], work: Path) -> None:
    path = os.environ["PATH"]
    folders = [folder for folder in path.split(os.pathsep) if not (Path(folder) / "qemu-system-arm").exists()]
    result = edge_sv(work, "demo", "--out", work / "package", "--json", PATH=os.pathsep.join(folders))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["emulation"] is None
    assert "qemu-system-arm" in result.stderr and "apt-get install" in result.stderr


def test_table_is_for_people_and_takes_their_recordings(bundled: dict[str, Any], work: Path) -> None:
    own = ["--enroll", VOICES / "bea_1.flac", "--verify", VOICES / "bea_2.flac", "--verify", VOICES / "carl_1.flac"]
    result = edge_sv(work, "demo", "--board", "none", "--out", work / "package", *own)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert any("bea_2" in line and "accepted" in line for line in lines)
    assert any("carl_1" in line and "rejected" in line for line in lines)
    for text in ("enrolled bea_1", "float score", "arena", "cosine", str(work / "package")):
        assert text in result.stdout
    assert f"{bundled['model_bytes']:,} bytes" in result.stdout
    assert "package" in result.stderr, "the stages are told on stderr"


def test_builds_for_phones_too(bundled: dict[str, Any], work: Path) -> None:
    result = edge_sv(work, "demo", "--target", "tflite", "--board", "none", "--out", work / "phone", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["runtime"], document["arena_bytes"]) == ("tflite", None)
    assert document["verified"][0]["accepted"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--target", "tflite-mikro"], 2, "did you mean 'tflite-micro'"),
        (["--model", "resnet-nanno"], 2, "did you mean 'resnet-nano'"),
        (["--enroll", "no.wav"], 3, "no.wav"),
        (["--verify", __file__], 3, "not a readable sound file"),
        (["--out", Path(__file__).parent], 2, "not a package"),
    ],
)
def test_bad_input_is_told_in_words(work: Path, arguments: list[object], code: int, text: str) -> None:
    result = edge_sv(work, "demo", *arguments)
    assert result.returncode == code, result.stderr
    assert text in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="sounddevice is installed here")
def test_microphone_without_sounddevice(work: Path) -> None:
    result = edge_sv(work, "demo", "--mic", "3")
    assert result.returncode == 6
    assert "pip install sounddevice" in result.stderr


def test_enrollment_and_trials_do_not_overlap() -> None:
    enrolled, verified = bundled_voices()
    assert not set(enrolled) & set(verified)
    assert {path.stem.split("_")[0] for path in enrolled} == {BUNDLED_SPEAKER}
