"""Ranges of activations on disk: what is written is read back, what is damaged is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.activation_ranges import RANGES_FILE, encode_ranges, load_ranges
from edge_sv.errors import DataError


def test_ranges_that_are_damaged(tmp_path: Path) -> None:
    assert load_ranges(tmp_path) == {}
    (tmp_path / RANGES_FILE).write_bytes(encode_ranges({"a": (-1.0, 2.0)}))
    assert load_ranges(tmp_path) == {"a": (-1.0, 2.0)}
    for ends in ((1.0, 2.0), (0.0, 0.0), (-np.inf, 1.0), (0.0, np.nan)):
        (tmp_path / RANGES_FILE).write_bytes(encode_ranges({"a": ends}))
        with pytest.raises(DataError, match="damaged"):
            load_ranges(tmp_path)
    (tmp_path / RANGES_FILE).write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(DataError, match="damaged"):
        load_ranges(tmp_path)
