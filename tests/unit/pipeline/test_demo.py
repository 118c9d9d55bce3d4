"""The demo's recordings; the demo itself is run by tests/cli/test_demo.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.pipeline.demo import BUNDLED_ENROLLMENT, bundled_voices, is_bundled_speaker, read_recordings


def test_enrolled_and_verified_voices_do_not_overlap() -> None:
    enroll, verify = bundled_voices()
    assert len(enroll) == BUNDLED_ENROLLMENT and all(is_bundled_speaker(path.stem) for path in enroll)
    assert not set(enroll) & set(verify)
    own = [path.stem for path in verify if is_bundled_speaker(path.stem)]
    assert own == ["ada_4"] and len(verify) > 4


def test_recordings_are_named_after_their_files(tmp_path: Path) -> None:
    (recording,) = read_recordings(bundled_voices()[0][:1])
    assert recording.name == "ada_1" and recording.pcm.dtype == np.int16
    with pytest.raises(DataError, match="not a readable sound file"):
        (tmp_path / "a.wav").write_text("no sound")
        read_recordings([tmp_path / "a.wav"])
