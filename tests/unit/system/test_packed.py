"""A packed file is read as the plain one, or refused: damaged, cut off, with something after it, or too large."""

from __future__ import annotations

import io
import lzma
from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.system.npz import read_arrays
from edge_sv.system.packed import is_there, pack, read_file, unpack

WEIGHTS = np.random.default_rng(5).normal(0, 0.1, 20_000).astype(np.float32)
DATA = WEIGHTS.tobytes()


def test_float_weights_shrink_and_come_back_bit_for_bit(tmp_path: Path) -> None:
    packed = pack(DATA)
    assert len(packed) < 0.9 * len(DATA) and pack(DATA) == packed
    (tmp_path / "a.bin.xz").write_bytes(packed)
    assert is_there(tmp_path / "a.bin") and read_file(tmp_path / "a.bin") == DATA


def test_any_xz_program_reads_it() -> None:
    assert lzma.decompress(pack(DATA)) == DATA
    assert unpack(lzma.compress(DATA, preset=9), Path("a.xz")) == DATA


def test_the_plain_file_counts_where_both_are(tmp_path: Path) -> None:
    (tmp_path / "a.bin.xz").write_bytes(pack(DATA))
    (tmp_path / "a.bin").write_bytes(b"newer")
    assert read_file(tmp_path / "a.bin") == b"newer"


def test_a_missing_file_is_named_as_it_was_asked_for(tmp_path: Path) -> None:
    assert not is_there(tmp_path / "a.bin")
    with pytest.raises(DataError, match=r"cannot read .*/a\.bin\n"):
        read_file(tmp_path / "a.bin")


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").mkdir()
    assert not is_there(tmp_path / "a.bin")
    with pytest.raises(DataError, match="cannot read"):
        read_file(tmp_path / "a.bin")


def test_arrays_are_read_from_a_packed_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, weights=WEIGHTS)
    (tmp_path / "a.npz.xz").write_bytes(pack(buffer.getvalue()))
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["weights"], WEIGHTS)


def flip(data: bytes, place: int) -> bytes:
    return bytes([*data[:place], data[place] ^ 4, *data[place + 1 :]])


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"", "cut off"),
        (pack(DATA)[:-1], "cut off"),
        (pack(DATA)[:500], "cut off"),
        (flip(pack(DATA), 5000), "Corrupt"),
        (b"PK\x03\x04" + bytes(100), "not supported"),
        (lzma.compress(DATA, lzma.FORMAT_ALONE), "not supported"),
        (pack(DATA) + b"more", "4 bytes after its end"),
        (pack(DATA) + pack(DATA), "bytes after its end"),
    ],
)
def test_what_is_not_one_whole_packed_file_is_refused(data: bytes, got: str) -> None:
    with pytest.raises(DataError, match=r"a\.xz is damaged") as caught:
        unpack(data, Path("a.xz"))
    assert got in caught.value.details["got"]


def test_every_flipped_bit_is_found() -> None:
    """Its own checksums find it: no caller has to."""
    packed = pack(b"speaker verification " * 20)
    for place in range(len(packed)):
        with pytest.raises(DataError):
            unpack(flip(packed, place), Path("a.xz"))


def test_a_small_file_that_unpacks_to_more_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sv.system.packed.LARGEST_FILE", 1 << 20)
    assert unpack(pack(bytes(1 << 20)), Path("a.xz")) == bytes(1 << 20)
    bomb = pack(bytes((1 << 20) + 1))
    assert len(bomb) < 1000
    with pytest.raises(DataError) as caught:
        unpack(bomb, Path("a.xz"))
    assert caught.value.details["got"] == "more than 1,048,576 bytes"


def test_a_file_that_needs_much_memory_to_unpack_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}]
    greedy = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    # The dictionary's size stands in the header, before the first byte of content.
    header = greedy.compress(b"x" * 10) + greedy.flush()
    with pytest.raises(DataError) as caught:
        unpack(header, Path("a.xz"))
    assert "limit" in caught.value.details["got"].lower()
