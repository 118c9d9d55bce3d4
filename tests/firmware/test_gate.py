"""The energy gate: which recordings are refused, which frames are skipped, and how far it agrees with the desktop."""

from __future__ import annotations

import csv
import ctypes
from pathlib import Path

import numpy as np
import pytest

from edge_sv.audio.recording import check_speech, read_recording, speech_seconds
from edge_sv.errors import DataError
from edge_sv.system.array_types import Int16

RATE, HOP = 16000, 160
SILENT, TOO_SHORT, CLIPPED = -17, -18, -19


class Config(ctypes.Structure):
    _fields_ = [
        ("min_speech_blocks", ctypes.c_uint16),
        ("hangover_blocks", ctypes.c_uint16),
        ("open_db", ctypes.c_uint8),
        ("close_db", ctypes.c_uint8),
    ]


class Gate:
    def __init__(self, library: ctypes.CDLL, *, hangover: int = 0) -> None:
        self.c, self.self = library, ctypes.create_string_buffer(512)
        library.esv_gate_is_open.restype = ctypes.c_bool
        config = Config(50, hangover, 12, 6)
        library.esv_gate_begin(self.self, ctypes.byref(config), HOP)

    def push(self, pcm: Int16) -> Gate:
        pcm = np.ascontiguousarray(pcm)
        self.c.esv_gate_push(self.self, ctypes.c_void_p(pcm.ctypes.data), ctypes.c_size_t(len(pcm)))
        return self

    def opened(self, pcm: Int16) -> list[bool]:
        """Return after each block whether the gate is open."""
        blocks = pcm[: len(pcm) // HOP * HOP].reshape(-1, HOP)
        return [bool(self.push(block).c.esv_gate_is_open(self.self)) for block in blocks]

    @property
    def status(self) -> int:
        return int(self.c.esv_gate_check(self.self))

    @property
    def speech_seconds(self) -> float:
        return float(self.c.esv_gate_speech_blocks(self.self) * HOP / RATE)


def noise(seconds: float, dbfs: float, *, seed: int = 1) -> Int16:
    samples = np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbfs / 20), round(seconds * RATE))
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def sine(seconds: float, hertz: float, dbfs: float) -> Int16:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.rint(32768 * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * time)).clip(-32768, 32767).astype(np.int16)


def joined(*parts: Int16) -> Int16:
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("pcm", "status"),
    [
        (noise(1, -20), 0),
        (np.zeros(RATE, np.int16), SILENT),
        (np.full(RATE, 9000, np.int16), SILENT),
        (noise(1, -75), SILENT),
        (sine(2, 50, -25), SILENT),
        (noise(0.3, -20), TOO_SHORT),
        (np.zeros(100, np.int16), TOO_SHORT),
        (np.zeros(0, np.int16), TOO_SHORT),
        (joined(noise(0.3, -20), noise(2, -60)), TOO_SHORT),
        (joined(noise(0.6, -50), noise(2, -75)), 0),
        (sine(1, 500, 6), CLIPPED),
        (np.full(RATE, -32768, np.int16) * (np.arange(RATE) % 40 < 20), CLIPPED),
    ],
)
def test_says_why_a_recording_is_refused(device_library: ctypes.CDLL, pcm: Int16, status: int) -> None:
    pcm = pcm.astype(np.int16)
    assert Gate(device_library).push(pcm).status == status
    desktop = {0: None, SILENT: "silent", TOO_SHORT: "too short", CLIPPED: "clipped"}[status]
    try:
        check_speech(pcm)
        assert desktop is None
    except DataError as error:
        assert desktop is not None and (desktop in error.message or "silent" in error.message)


def test_does_not_depend_on_chunks(device_library: ctypes.CDLL) -> None:
    pcm = joined(noise(0.7, -20), noise(1.03, -70), sine(0.9, 300, -8))
    whole = Gate(device_library).push(pcm)
    for size in (1, 7, 159, 160, 161, 1000):
        pieces = Gate(device_library)
        for start in range(0, len(pcm), size):
            pieces.push(pcm[start : start + size])
        assert pieces.self.raw == whole.self.raw


def test_levels_are_three_quarters_of_a_decibel(device_library: ctypes.CDLL) -> None:
    """A tone 30 dB below the loud one is at the edge; 1.5 dB to each side decides."""
    for below, counted in ((28.5, True), (31.5, False)):
        gate = Gate(device_library).push(joined(sine(0.5, 1000, -10), sine(1, 1000, -10 - below)))
        assert gate.speech_seconds == pytest.approx(1.5 if counted else 0.5, abs=0.03)


def test_opens_at_once_holds_on_and_closes(device_library: ctypes.CDLL) -> None:
    hangover = 20
    pcm = joined(noise(2, -60), noise(0.5, -20), noise(2, -60), noise(0.5, -45), noise(1, -60))
    opened = np.array(Gate(device_library, hangover=hangover).opened(pcm))
    assert not opened[150:200].any()
    assert opened[200 : 250 + hangover - 1].all()
    assert not opened[250 + hangover + 1 : 450].any()
    assert opened[450:500].all()
    assert Gate(device_library).opened(pcm) == [True] * len(opened)


def test_hysteresis_keeps_speech_that_fades(device_library: ctypes.CDLL) -> None:
    """9 dB above the noise is too little to open the gate, and enough to keep it open."""
    for first, stays in ((noise(0.3, -30), True), (noise(0.3, -60), False)):
        pcm = joined(noise(2, -60), first, noise(1, -51), noise(0.5, -60))
        opened = np.array(Gate(device_library, hangover=5).opened(pcm))
        assert opened[232:270].mean() == pytest.approx(1.0 if stays else 0.0, abs=0.1)


def test_agrees_with_the_desktop_on_speech(device_library: ctypes.CDLL, speech_data: Path) -> None:
    """Half of the counts differ by less than 5 %, nine in ten by less than 20 %, and no speech is refused."""
    with (speech_data / "index.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test" and row["corpus"] != "noise"]
    device, desktop = [], []
    for row in rows[:: max(1, len(rows) // 120)]:
        pcm = read_recording(speech_data / row["path"])
        gate = Gate(device_library).push(pcm)
        device.append(gate.speech_seconds)
        desktop.append(speech_seconds(pcm))
        assert gate.status == 0 or desktop[-1] < 0.6
    difference = np.abs(np.array(device) - desktop) / np.maximum(desktop, 0.5)
    assert np.median(difference) < 0.05 and np.quantile(difference, 0.9) < 0.2
