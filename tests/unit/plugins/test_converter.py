"""Calibration refuses what shows a converter nothing; converters are found by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_sv.errors import DataError, UsageError
from edge_sv.plugins.converter import Calibration, calibrate, find_converter
from tests.nets import FEATURES, SEGMENTS, voice_calibration


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s[:31], "at least 32 segments"),
        (lambda s: np.where(np.arange(len(s))[:, None, None] == 4, np.nan, s), "segment 4 .* NaN"),
        (lambda s: np.where(np.arange(len(s))[:, None, None] == 2, 0.5, s), "segment 2 .* silent"),
    ],
)
def test_useless_calibration_is_refused(spoil: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Calibration(spoil(voice_calibration().segments), "test")


def test_too_short_recordings_cannot_calibrate() -> None:
    with pytest.raises(DataError, match="as long as a segment"):
        calibrate([np.ones(3000, np.int16)] * 40, FEATURES, SEGMENTS, source="test")


def test_unknown_converters_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'tflite'"):
        find_converter("tflight")
    assert find_converter("tflite").name == "tflite"
