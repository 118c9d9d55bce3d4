"""The bundled synthetic voices are what `scripts/make_voices.py` makes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.audio.recording import read_speech
from edge_sv.system.bundled import assets_dir

VOICES = assets_dir() / "voices"
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_voices.py"


def recordings() -> list[Path]:
    return sorted(VOICES.glob("*.flac"))


def test_voices_are_small_usable_and_described() -> None:
    assert sum(path.stat().st_size for path in recordings()) < 600_000
    described = (VOICES / "README.md").read_text()
    for path in recordings():
        assert 2 * 16000 < len(read_speech([path])) < 5 * 16000
        assert path.stem.split("_")[0] in described
    assert len([path for path in recordings() if path.stem.startswith("ada")]) == 4


def test_the_script_makes_the_bundled_voices(tmp_path: Path) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    result = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=True)
    if result.stderr:
        pytest.skip(result.stderr.strip())
    assert [path.name for path in recordings()] == [path.name for path in sorted(tmp_path.glob("*.flac"))]
    for path in recordings():
        bundled, made = (soundfile.read(folder / path.name, dtype="int16")[0] for folder in (VOICES, tmp_path))
        assert bundled.shape == made.shape
        assert np.abs(bundled.astype(int) - made).max() <= 1


def test_the_script_says_what_it_needs(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, SCRIPT, tmp_path], env={"PATH": ""}, capture_output=True, text=True)
    assert result.returncode == 6
    assert "apt-get install espeak-ng" in result.stderr
    assert list(tmp_path.iterdir()) == []
