"""Recording: through real PortAudio from an ALSA device that plays a file, where both are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sv.audio.microphone import record
from edge_sv.errors import ToolMissing, UsageError


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # what Python does for a package that is not there
    with pytest.raises(ToolMissing, match="pip install sounddevice"):
        record(1.0)


@pytest.mark.parametrize("seconds", [0, -1, 61, float("nan")])
def test_refuses_impossible_lengths(seconds: float) -> None:
    with pytest.raises(UsageError, match="cannot record"):
        record(seconds)


def test_records_what_the_device_plays(tmp_path: Path) -> None:
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"{error}: pip install sounddevice; apt-get install libportaudio2")
    ramp = np.arange(-8000, 8000, dtype=np.int16)
    np.tile(ramp, 40).tofile(tmp_path / "played.raw")
    (tmp_path / ".asoundrc").write_text(
        f'pcm.!default {{ type file; slave.pcm "nothing"; file "/dev/null"; infile "{tmp_path}/played.raw" }}\n'
        "pcm.nothing { type null }\n"
    )
    program = "import sys; from edge_sv.audio.microphone import record; sys.stdout.buffer.write(record(0.5).tobytes())"
    result = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, timeout=60
    )
    if b"cannot record" in result.stderr:
        pytest.skip("PortAudio has no ALSA file device here")
    heard = np.frombuffer(result.stdout, np.int16)
    assert heard.shape == (8000,), result.stderr.decode()
    steps = np.diff(heard.astype(np.int32))
    assert np.mean(steps == 1) > 0.95, "the ramp arrives sample by sample"
