"""Arrays from files that nobody vouches for: read as they were written, or refused before memory runs out."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.system.npz import dump_arrays, parse_arrays, read_array, read_arrays


def test_what_was_written_is_read(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.int8).reshape(2, 3), "b/0": np.float32([1.5])}
    (tmp_path / "x.npz").write_bytes(dump_arrays(**arrays))
    got = read_arrays(tmp_path / "x.npz")
    assert got.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(got[name], values)


def _bomb(count: int, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write an npz of `count` zeros, a thousand times smaller."""
    stream, header = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|i1", "fortran_order": False, "shape": (count,)})
    with (
        zipfile.ZipFile(stream, "w", compression) as archive,
        archive.open("values.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(count >> 20):
            member.write(bytes(1 << 20))
    return stream.getvalue()


def test_a_small_file_that_unpacks_to_more_than_memory_is_refused_before_it_is_unpacked() -> None:
    bomb = _bomb(300 << 20)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(DataError, match="unpacks to 314,5"):
        parse_arrays(bomb, "a file")
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_packed_in_a_way_that_may_take_any_memory_is_refused() -> None:
    with pytest.raises(DataError, match="numpy does not write"):
        parse_arrays(_bomb(1 << 20, zipfile.ZIP_LZMA), "a file")


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|i1", "fortran_order": False, "shape": (1 << 40,)})
    (tmp_path / "x.npy").write_bytes(stream.getvalue())
    with pytest.raises(DataError, match=r"cannot read .*x\.npy"):
        read_array(tmp_path / "x.npy", np.int8)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04.", b"\x93NUMPY\x01\x00\x02\x00{}", b"\x93NUMPY"])
def test_what_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match="a file is damaged"):
        parse_arrays(data, "a file")
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(DataError, match="cannot read"):
        read_array(tmp_path / "x.npy", np.int8)


def test_values_of_another_type_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match="cannot read"):
        read_array(tmp_path / "x.npy", np.int8)
