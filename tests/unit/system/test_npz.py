"""Files of arrays come back as they were written, or are refused with their path, before memory runs out."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.errors import DataError
from edge_sv.system.npz import dump_arrays, parse_arrays, read_array, read_arrays

ARRAYS = {"first": np.arange(6, dtype=np.float32).reshape(2, 3), "second": np.array([], np.int8), "third": np.array(7)}


def saved(save: Callable[..., None] = np.savez) -> bytes:
    stream = io.BytesIO()
    save(stream, **ARRAYS)
    return stream.getvalue()


def read(folder: Path, data: bytes) -> dict[str, np.ndarray]:
    path = folder / "a.npz"
    path.write_bytes(data)
    return read_arrays(path)


def is_refused(folder: Path, data: bytes) -> bool:
    try:
        read(folder, data)
    except DataError as error:
        assert error.message == f"{folder / 'a.npz'} is damaged" and error.details["got"]
        return True
    return False


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_by_name_with_shape_and_type(tmp_path: Path, save: Callable[..., None]) -> None:
    found = read(tmp_path, saved(save))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    data = saved(save)
    assert all(is_refused(tmp_path, data[:length]) for length in range(0, len(data), 7))


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_flipped_bit_is_refused_or_changes_no_value(tmp_path: Path, bit: int) -> None:
    """One in the archive's list may rename or hide an array, which who asks for it by its name finds out."""
    data, refused = saved(), 0
    for place in range(0, len(data), 3):
        flipped = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        if is_refused(tmp_path, flipped):
            refused += 1
            continue
        for found in read(tmp_path, flipped).values():
            assert any(np.array_equal(found, wanted) and found.dtype == wanted.dtype for wanted in ARRAYS.values())
    assert refused > len(data) / 6


def one_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, ARRAYS["first"])
    return stream.getvalue()


def objects() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([{}], object))
    return stream.getvalue()


def archive_of_text() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("notes.txt", "hello")
    return stream.getvalue()


@pytest.mark.parametrize("content", [one_array, objects, archive_of_text, lambda: b"", lambda: b"text"])
def test_what_is_no_archive_of_arrays_is_refused(tmp_path: Path, content: Callable[[], Any]) -> None:
    assert is_refused(tmp_path, content())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*/gone\.npz"):
        read_arrays(tmp_path / "gone.npz")


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


def test_what_is_dumped_is_parsed() -> None:
    got = parse_arrays(dump_arrays(**ARRAYS), "arrays")
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(got[name], values, strict=True)
