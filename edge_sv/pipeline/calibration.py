"""Speech that shows a converter the range of every activation."""

from __future__ import annotations

from pathlib import Path

from edge_sv.artifacts.net import read_net
from edge_sv.plugins.converter import Calibration, calibrate
from edge_sv.scoring.speech_index import read_index, sample_speech

RECORDINGS = 256


def cut_calibration(net: Path, index: Path) -> Calibration:
    """Cut calibration segments for a net out of training speakers' recordings.

    Args:
        net: the float net's folder, whose front end and segments are taken.
        index: table of speech files.

    Raises:
        DataError: the net or the table cannot be read, or the speech cannot calibrate a net.
    """
    described = read_net(net)
    features, segments = described.features, described.segments
    shortest = features.window_length + (segments.frames - 1) * features.hop_length
    recordings = sample_speech(
        read_index(index), count=RECORDINGS, min_samples=shortest, sample_rate=features.sample_rate
    )
    return calibrate(recordings, features, segments, source="training speakers of the data")
