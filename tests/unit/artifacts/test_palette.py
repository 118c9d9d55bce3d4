"""Palettes: what they hold, and that a file gives back what was written."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.artifacts.palette import Palette, decode_palettes, encode_palettes
from edge_sv.errors import DataError


def make_palette(seed: int, bits: int, shape: tuple[int, int, int, int], *, per_channel: bool = False) -> Palette:
    rng = np.random.default_rng(seed)
    rows = (shape[-1],) if per_channel else ()
    codebook = np.sort(rng.integers(-127, 128, (*rows, 1 << bits)), axis=-1).astype(np.int8)
    indices = rng.integers(0, 1 << bits, shape).astype(np.uint8)
    return Palette(bits, codebook, indices, rng.random(shape[-1]).astype(np.float32))


def read_back(data: bytes) -> dict[str, Palette]:
    with np.load(io.BytesIO(data)) as archive:
        return decode_palettes({name: archive[name] for name in archive.files})


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1 << 16),
    st.integers(1, 8),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    st.booleans(),
)
def test_what_is_written_is_read(seed: int, bits: int, shape: tuple[int, int, int, int], per_channel: bool) -> None:
    palette = make_palette(seed, bits, shape, per_channel=per_channel)
    data = encode_palettes({"a": palette, "b/c": palette})
    again = read_back(data)
    assert list(again) == ["a", "b/c"]
    for found in again.values():
        assert found.bits == bits
        np.testing.assert_array_equal(found.indices, palette.indices)
        np.testing.assert_array_equal(found.codebook, palette.codebook)
        np.testing.assert_array_equal(found.weights(), palette.weights())
    assert encode_palettes(again) == data


def test_weights_are_scale_times_code() -> None:
    indices = np.array([[[[0, 1], [1, 0]]]], np.uint8)
    palette = Palette(1, np.array([-127, 64], np.int8), indices, np.array([1.0, 2.0], np.float32))
    wanted = [[[[-1.0, 2 * 64 / 127], [64 / 127, -2.0]]]]
    np.testing.assert_allclose(palette.weights(), wanted, rtol=1e-6)


def test_a_codebook_for_each_channel() -> None:
    indices = np.array([[[[0, 1], [1, 0]]]], np.uint8)
    palette = Palette(1, np.array([[-127, 127], [0, 10]], np.int8), indices, np.ones(2, np.float32))
    np.testing.assert_array_equal(palette.codes, [[[[-127, 10], [127, 0]]]])


@pytest.mark.parametrize(
    "change",
    [
        {"indices": np.full((1, 1, 2, 2), 2, np.uint8)},
        {"codebook": np.zeros(3, np.int8)},
        {"scales": np.ones(3, np.float32)},
        {"scales": np.array([1.0, np.nan], np.float32)},
        {"scales": np.array([1.0, -1.0], np.float32)},
        {"indices": np.zeros((2, 2), np.uint8)},
    ],
)
def test_parts_that_do_not_fit(change: dict[str, np.ndarray]) -> None:
    parts = {
        "codebook": np.array([-1, 1], np.int8),
        "indices": np.zeros((1, 1, 2, 2), np.uint8),
        "scales": np.ones(2, np.float32),
    }
    with pytest.raises(DataError, match="do not fit"):
        Palette(bits=1, **{**parts, **change})


@pytest.mark.parametrize("missing", ["a/indices", "a/codebook", "a/scales"])
def test_a_file_without_a_part(missing: str) -> None:
    with np.load(io.BytesIO(encode_palettes({"a": make_palette(0, 2, (1, 1, 2, 2))}))) as archive:
        arrays = {name: archive[name] for name in archive.files if name != missing}
    with pytest.raises(DataError, match="damaged"):
        decode_palettes(arrays)
