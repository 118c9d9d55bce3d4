"""Memory of the device runtime; tests/converters/test_c_source.py compares it with what compiled packages state."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sv.frontend.features import FeatureConfig
from edge_sv.package.device_memory import OBJECT_BYTES, features_bytes, memory_bytes

HEADER = Path(__file__).resolve().parents[3] / "targets" / "common" / "include" / "esv.h"
NET = {"state_bytes": 20_000, "frames": 200, "embedding_dim": 64, "top_n": 10}


def test_the_object_s_size_is_the_header_s() -> None:
    (stated,) = re.findall(r"#define ESV_OBJECT_BYTES (\d+)", HEADER.read_text())
    assert int(stated) == OBJECT_BYTES


def test_the_front_end_s_memory_grows_with_fft_bands_and_window() -> None:
    config = FeatureConfig()
    assert features_bytes(config) % 16 == 0
    for larger in (
        replace(config, fft_size=2 * config.fft_size),
        replace(config, num_mels=config.num_mels + 8),
        replace(config, window_ms=config.window_ms + 5),
    ):
        assert features_bytes(larger) > features_bytes(config)


@pytest.mark.parametrize(("name", "more", "bytes_more"), [
    ("state_bytes", 1600, 1600),
    ("frames", 16, 16 * 80),
    ("embedding_dim", 16, 16 * (4 * 4 + 1 + 4)),
    ("top_n", 16, 64),
])  # fmt: skip
def test_memory_grows_by_what_is_added(name: str, more: int, bytes_more: int) -> None:
    config = FeatureConfig()
    grown = memory_bytes(config, **{**NET, name: NET[name] + more}) - memory_bytes(config, **NET)
    assert grown == pytest.approx(bytes_more, abs=16), "up to one alignment"


def test_everything_has_its_part() -> None:
    config = FeatureConfig()
    assert memory_bytes(config, **NET) > NET["state_bytes"] + features_bytes(config) + OBJECT_BYTES
