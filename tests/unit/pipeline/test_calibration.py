"""Calibration speech is drawn evenly, long enough, and refused where it shows nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.pipeline.calibration import RECORDINGS, cut_calibration
from tests.nets import FEATURES, SEGMENTS, make_float_net


def test_segments_have_the_nets_shape(data: Path, tmp_path: Path) -> None:
    calibration = cut_calibration(make_float_net(tmp_path / "net"), data)
    assert calibration.segments.shape[1:] == (SEGMENTS.frames, FEATURES.num_mels)
    assert 32 <= len(calibration.segments) <= RECORDINGS and np.isfinite(calibration.segments).all()
    again = cut_calibration(tmp_path / "net", data)
    assert np.array_equal(again.segments, calibration.segments)


def test_a_table_without_training_speech_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("path,speaker,corpus,split\na.flac,s,c,test\n")
    with pytest.raises(DataError, match="no training files"):
        cut_calibration(make_float_net(tmp_path / "net"), tmp_path / "index.csv")


def test_a_folder_without_a_net_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a float net"):
        cut_calibration(tmp_path, data)
