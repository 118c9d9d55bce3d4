"""The print store and the flash under it, by ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from edge_sv.system.array_types import Float32

FLASH_BYTES = 65536
SECTORS = 16
SHA256 = bytes(range(100, 132))
KEY = bytes(range(16))
NEVER = 2**64 - 1
MEMORY_BYTES = 4096


class Flash(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("program", ctypes.c_void_p),
        ("erase", ctypes.c_void_p),
        ("sector_bytes", ctypes.c_uint32),
        ("sector_count", ctypes.c_uint16),
        ("program_bytes", ctypes.c_uint16),
    ]


class RamFlash(ctypes.Structure):
    """tests/firmware/host/ram_flash.h."""

    _fields_ = [
        ("flash", Flash),
        ("bytes", ctypes.c_uint8 * FLASH_BYTES),
        ("spent", ctypes.c_uint8 * FLASH_BYTES),
        ("unstable", ctypes.c_uint8 * FLASH_BYTES),
        ("weak", ctypes.c_uint8 * SECTORS),
        ("erases", ctypes.c_uint32 * SECTORS),
        ("steps", ctypes.c_uint64),
        ("cut_at", ctypes.c_uint64),
        ("cut", ctypes.c_int),
        ("random", ctypes.c_uint32),
        ("dead", ctypes.c_bool),
    ]


class Config(ctypes.Structure):
    _fields_ = [
        ("flash", ctypes.c_void_p),
        ("model_sha256", ctypes.c_char_p),
        ("key", ctypes.c_char_p),
        ("dim", ctypes.c_uint16),
    ]


class Usage(ctypes.Structure):
    _fields_ = [("prints", ctypes.c_uint32), ("capacity", ctypes.c_uint32), ("spoiled", ctypes.c_uint32)]


class Print(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 28), ("recordings", ctypes.c_uint32)]


@dataclass
class Layout:
    sector_bytes: int = 1024
    sectors: int = 2
    program_bytes: int = 4
    dim: int = 6


class PrintStore:
    """A store on flash of its own; `mount` may be called again, as after a reset.

    Every call returns the status's text, "ok" when it worked.
    """

    def __init__(self, library: ctypes.CDLL, layout: Layout) -> None:
        self.c, self.layout = library, layout
        self.flash = RamFlash()
        library.ram_flash_init(
            ctypes.byref(self.flash), ctypes.c_uint32(layout.sector_bytes), layout.sectors, layout.program_bytes
        )
        library.esv_store_bytes.restype = ctypes.c_size_t
        library.esv_status_text.restype = ctypes.c_char_p
        self.used = layout.sector_bytes * layout.sectors

    def mount(self, *, sha256: bytes = SHA256, key: bytes | None = None, dim: int | None = None) -> str:
        self.store = ctypes.create_string_buffer(256)
        self.memory = (ctypes.c_uint8 * (MEMORY_BYTES + 16))()
        self.config = Config(ctypes.addressof(self.flash), sha256, key, dim or self.layout.dim)
        start = (ctypes.addressof(self.memory) + 15) // 16 * 16
        size = self.c.esv_store_bytes(ctypes.byref(self.config))
        return self._text(
            self.c.esv_store_mount(self.store, ctypes.byref(self.config), ctypes.c_void_p(start), ctypes.c_size_t(size))
        )

    def put(self, name: bytes, recordings: int, embedding: Float32) -> str:
        values = np.ascontiguousarray(embedding, np.float32)
        return self._text(
            self.c.esv_store_put(self.store, name, ctypes.c_uint32(recordings), ctypes.c_void_p(values.ctypes.data))
        )

    def get(self, name: bytes) -> tuple[int, bytes] | str:
        """Return (recordings, embedding as bytes), or the status's text."""
        recordings, values = ctypes.c_uint32(), np.zeros(self.layout.dim, np.float32)
        status = self.c.esv_store_get(self.store, name, ctypes.byref(recordings), ctypes.c_void_p(values.ctypes.data))
        return (recordings.value, values.tobytes()) if status == 0 else self._text(status)

    def wipe(self, name: bytes | None) -> str:
        return self._text(self.c.esv_store_wipe(self.store, name))

    def prints(self) -> dict[bytes, int]:
        """Return all names and their numbers of recordings; fail when one comes twice."""
        found, cursor, entry = [], ctypes.c_uint32(), Print()
        while self.c.esv_store_next(self.store, ctypes.byref(cursor), ctypes.byref(entry)) == 0:
            found.append((entry.name, entry.recordings))
        assert len(dict(found)) == len(found)
        return dict(found)

    def usage(self) -> Usage:
        usage = Usage()
        self.c.esv_store_measure(self.store, ctypes.byref(usage))
        return usage

    def power_up(self, steps_to_cut: int = NEVER, *, cut: int = 1) -> None:
        self.flash.cut = cut
        self.c.ram_flash_power_up(ctypes.byref(self.flash), ctypes.c_uint64(steps_to_cut))

    @property
    def image(self) -> bytes:
        return bytes(self.flash.bytes[: self.used])

    def _text(self, status: int) -> str:
        text: bytes = self.c.esv_status_text(status)
        return text.decode()
