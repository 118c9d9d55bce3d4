"""A device's memory and settings: what fits, what is refused, what it keeps to itself."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tests.firmware.test_common import CohortStruct
from tests.firmware.test_gate import Config as GateConfig

ARGUMENT, MEMORY, CONFIG, NO_STORE = -1, -2, -8, -27


class Config(ctypes.Structure):
    _fields_ = [
        ("net", ctypes.c_void_p),
        ("features", ctypes.c_void_p),
        ("port", ctypes.c_void_p),
        ("cohort", ctypes.c_void_p),
        ("top_n", ctypes.c_uint16),
        ("hop_frames", ctypes.c_uint16),
        ("threshold", ctypes.c_float),
        ("gate", GateConfig),
    ]


class Maker:
    def __init__(self, library: ctypes.CDLL) -> None:
        self.c, self.device = library, ctypes.c_void_p()
        library.esv_bytes.restype = ctypes.c_size_t
        place = {name: ctypes.addressof(ctypes.c_char.in_dll(library, f"tiny_{name}")) for name in ("net", "features")}
        self.config = Config(**place, top_n=5, hop_frames=10, threshold=0.5)
        self.memory = (ctypes.c_uint8 * 32768)()

    @property
    def bytes(self) -> int:
        return int(self.c.esv_bytes(ctypes.byref(self.config)))

    def make(self, *, spare: int = 0, offset: int = 0) -> int:
        """Return esv_init's status for exactly the memory that is needed, and some to spare."""
        start = (ctypes.addressof(self.memory) + 15) // 16 * 16 + offset
        init, size = self.c.esv_init, ctypes.c_size_t(self.bytes + spare)
        return int(init(ctypes.byref(self.device), ctypes.byref(self.config), ctypes.c_void_p(start), size))


@pytest.fixture
def maker(device_library: ctypes.CDLL) -> Maker:
    return Maker(device_library)


def test_fits_into_exactly_what_it_asks_for(maker: Maker) -> None:
    assert 0 < maker.bytes < 8192
    ctypes.memset(maker.memory, 0xA5, len(maker.memory))
    assert maker.make() == 0 and maker.device.value
    pcm = np.random.default_rng(1).integers(-3000, 3000, 16000).astype(np.int16)
    for call in (maker.c.esv_begin, lambda d: maker.c.esv_feed(d, ctypes.c_void_p(pcm.ctypes.data), 16000)):
        assert call(maker.device) == 0
    assert maker.c.esv_finish(maker.device, None) == 0
    used = maker.device.value - ctypes.addressof(maker.memory) + maker.bytes
    assert bytes(maker.memory[used:]) == b"\xa5" * (len(maker.memory) - used)


def test_refuses_memory_that_is_too_small_or_crooked(maker: Maker) -> None:
    for how in ({"spare": -1}, {"offset": 8}, {"offset": 1}):
        assert maker.make(**how) == MEMORY and not maker.device.value


def test_refuses_what_does_not_fit_together(maker: Maker) -> None:
    values = np.zeros((4, 13), np.int8)
    cohort = CohortStruct(values.ctypes.data, 4, 13)
    for wrong in ({"net": None}, {"features": None}, {"hop_frames": 0}, {"cohort": ctypes.addressof(cohort)}):
        broken = Maker(maker.c)
        for name, value in wrong.items():
            setattr(broken.config, name, value)
        assert broken.bytes == 0 and broken.make() == CONFIG


def test_null_pointers_are_an_error_each(maker: Maker) -> None:
    assert maker.make() == 0
    c, device = maker.c, maker.device
    assert c.esv_init(None, ctypes.byref(maker.config), maker.memory, 9999) == ARGUMENT
    for call in (c.esv_begin, c.esv_finish, c.esv_wipe):
        assert call(None, None) == ARGUMENT
    assert c.esv_feed(device, None, ctypes.c_size_t(4)) == ARGUMENT
    assert c.esv_enroll(device, None, None) == c.esv_verify(device, b"ada", None) == ARGUMENT
    assert c.esv_measure(device, None) == c.esv_next(None, None, None) == ARGUMENT
    for bad in (np.nan, np.inf, -np.inf):
        assert c.esv_set_threshold(device, ctypes.c_float(bad)) == ARGUMENT


def test_calls_out_of_order_are_refused(maker: Maker) -> None:
    assert maker.make() == 0
    pcm = np.zeros(160, np.int16)
    order = -16
    assert maker.c.esv_feed(maker.device, ctypes.c_void_p(pcm.ctypes.data), ctypes.c_size_t(160)) == order
    assert maker.c.esv_finish(maker.device, None) == order
    assert maker.c.esv_enroll(maker.device, b"ada", None) == NO_STORE
