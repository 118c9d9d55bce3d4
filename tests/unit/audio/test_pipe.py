"""Recordings through pipes: read to their end, once, and never waited for without end."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_sv.audio import pipe
from edge_sv.audio.pipe import is_pipe, read_pipe
from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "a.wav")
    return tmp_path / "a.wav"


def write_later(fifo: Path, data: bytes, *, pause: float = 0.0) -> threading.Thread:
    def write() -> None:
        with fifo.open("wb") as stream:
            time.sleep(pause)
            stream.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(0.2)  # the writer waits in its open
    return thread


def test_what_is_a_pipe(fifo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert is_pipe(Path("-")) and is_pipe(fifo) and is_pipe(Path("/dev/null"))
    assert not is_pipe(tmp_path / "file") and not is_pipe(tmp_path / "none") and not is_pipe(tmp_path)


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_a_named_pipe_is_read_to_its_end(fifo: Path, pause: float) -> None:
    data = bytes(range(256)) * 4096
    writer = write_later(fifo, data, pause=pause)
    assert read_pipe(fifo) == data
    writer.join()


def test_a_pipe_that_nobody_writes_to_is_empty(fifo: Path) -> None:
    with pytest.raises(DataError, match=r"a\.wav is empty"):
        read_pipe(fifo)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", _Stdin(b"sound"))
    assert read_pipe(Path("-")) == b"sound"
    with pytest.raises(DataError, match="standard input is empty"):
        read_pipe(Path("-"))


def test_a_pipe_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "LARGEST_RECORDING", 1 << 20)
    with pytest.raises(DataError, match="/dev/zero does not end"):
        read_pipe(Path("/dev/zero"))


def test_a_recording_of_a_pipe_is_that_of_the_file(fifo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = (np.sin(np.arange(8000) / 9) * 9000).astype(np.int16)
    soundfile.write(tmp_path / "b.wav", samples, 16000)
    data = bytearray((tmp_path / "b.wav").read_bytes())
    monkeypatch.setattr("sys.stdin", _Stdin(bytes(data)))
    np.testing.assert_array_equal(read_recording(Path("-")), samples)
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # a program that writes to a pipe does not know its sizes yet
    writer = write_later(fifo, bytes(data))
    np.testing.assert_array_equal(read_recording(fifo), samples)
    writer.join()
    monkeypatch.setattr("sys.stdin", _Stdin(bytes(data[: len(data) // 2])))
    assert len(read_recording(Path("-"))) < 8000


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="cannot read standard input"):
        read_pipe(Path("-"))
