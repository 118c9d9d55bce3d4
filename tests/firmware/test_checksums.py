"""CRC-32 and SipHash-2-4-128 against the standard library and the authors' vectors."""

from __future__ import annotations

import ctypes
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MASK = 2**64 - 1


def siphash(key: bytes, data: bytes) -> bytes:
    """SipHash-2-4 with 128 bits, written from the paper."""
    words = [int.from_bytes(key[i : i + 8], "little") for i in (0, 8)]
    v = [
        w ^ int.from_bytes(c, "big")
        for w, c in zip(words * 2, (b"somepseu", b"dorandom", b"lygenera", b"tedbytes"), strict=True)
    ]
    v[1] ^= 0xEE

    def rounds(count: int) -> None:
        for _ in range(count):
            for a, b, r, s in ((0, 1, 13, 32), (2, 3, 16, 0), (0, 3, 21, 0), (2, 1, 17, 32)):
                v[a] = (v[a] + v[b]) & MASK
                v[b] = ((v[b] << r) | (v[b] >> (64 - r))) & MASK ^ v[a]
                v[a] = ((v[a] << s) | (v[a] >> (64 - s))) & MASK

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) % 256])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    tag = b""
    for lane, mark in ((2, 0xEE), (1, 0xDD)):
        v[lane] ^= mark
        rounds(4)
        tag += (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
    return tag


def tag_of(library: ctypes.CDLL, key: bytes, data: bytes) -> bytes:
    tag = ctypes.create_string_buffer(16)
    library.esv_siphash(key, data, ctypes.c_size_t(len(data)), tag)
    return tag.raw


@pytest.mark.parametrize(
    ("length", "tag"),
    [
        (0, "a3817f04ba25a8e66df67214c7550293"),
        (21, "568e495abe525a218a2214cd3e071d12"),
        (42, "e617346ac9c231bb3650ae34ccca0c5b"),
        (63, "5150d1772f50834a503e069a973fbd7c"),
    ],
)
def test_the_vectors_of_the_reference_code(device_library: ctypes.CDLL, length: int, tag: str) -> None:
    assert tag_of(device_library, bytes(range(16)), bytes(range(length))).hex() == tag


@settings(max_examples=100, deadline=None)
@given(key=st.binary(min_size=16, max_size=16), data=st.binary(max_size=300))
def test_siphash_equals_python(device_library: ctypes.CDLL, key: bytes, data: bytes) -> None:
    assert tag_of(device_library, key, data) == siphash(key, data)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_crc32_equals_zlib(device_library: ctypes.CDLL, data: bytes) -> None:
    device_library.esv_crc32.restype = ctypes.c_uint32
    assert device_library.esv_crc32(data, ctypes.c_size_t(len(data))) == zlib.crc32(data)
