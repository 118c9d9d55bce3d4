"""The far side of `generated_c`: a process that confines itself, loads generated code and calls it when asked.

It needs the standard library alone. A message is a length (8 bytes, little-endian) and so many bytes; an answer has a
first byte that says what the rest is: values, or words.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

from edge_sv.system.sandbox import Limits, confine

ALIGNMENT = 16
MEMORY_BYTES = 4 << 30
VALUES, REFUSED, FAILED = b"v", b"r", b"f"
LENGTH_BYTES = 8
LONGEST_REASON = 200
MATH_LIBRARY = "libm.so.6"


class Served(Protocol):
    """Something in the library that answers bytes with bytes."""

    def describe(self) -> bytes:
        """Return what the near side must know to use it."""

    def run(self, request: bytes) -> bytes:
        """Answer one request.

        Raises:
            Refusal: the code says no.
        """


class Refusal(Exception):
    """What was called, and on the next line the code's own words."""


class Net:
    """A generated net of any inputs and outputs: their values in, one after the other; the outputs' values out.

    Args:
        library: has the functions that the net's header declares.
        prefix: of their names.
        inputs: bytes of each input.
        outputs: bytes of each output.
        whole_arena: whether the arena follows the outputs.
    """

    def __init__(
        self, library: ctypes.CDLL, prefix: str, *, inputs: Sequence[int], outputs: Sequence[int], whole_arena: bool
    ) -> None:
        self._bytes = (inputs, outputs)
        self._arena_bytes = ctypes.c_size_t.in_dll(library, f"{prefix}_arena_bytes").value if whole_arena else 0
        self._places = tuple(getattr(library, f"{prefix}_{name}") for name in ("input", "output"))
        for function in self._places:
            function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
        self._invoke = getattr(library, f"{prefix}_invoke")
        self._invoke.restype, self._invoke.argtypes = None, [ctypes.c_void_p]
        self._memory, self._arena = _aligned(ctypes.c_size_t.in_dll(library, f"{prefix}_arena_bytes").value)

    def describe(self) -> bytes:
        """Return nothing: its user knows inputs and outputs."""
        return b""

    def run(self, request: bytes) -> bytes:
        """Run the net, see `Served.run`."""
        start = 0
        for number, count in enumerate(self._bytes[0]):
            ctypes.memmove(self._places[0](self._arena, number), request[start : start + count], count)
            start += count
        self._invoke(self._arena)
        outputs = [ctypes.string_at(self._places[1](self._arena, n), count) for n, count in enumerate(self._bytes[1])]
        return b"".join(outputs) + ctypes.string_at(self._arena, self._arena_bytes)


class EsvNet(ctypes.Structure):
    """`esv_net` of targets/common/include/esv_net.h."""

    _fields_ = (
        ("model_sha256", ctypes.c_uint8 * 32),
        ("num_mels", ctypes.c_uint16),
        ("frames", ctypes.c_uint16),
        ("embedding_dim", ctypes.c_uint16),
        ("input_scale", ctypes.c_float),
        ("input_zero_point", ctypes.c_int32),
        ("output_scale", ctypes.c_float),
        ("output_zero_point", ctypes.c_int32),
        ("state_bytes", ctypes.c_size_t),
        ("begin", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("push", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("finish", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
    )


class SpeakerNet:
    """A generated speaker net: int8 feature frames in, an int8 embedding out, whatever its plan.

    Args:
        library: defines the `esv_net`.
        prefix: its name.
    """

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self._net = EsvNet.in_dll(library, prefix)
        self._memory, self._state = _aligned(self._net.state_bytes)

    def describe(self) -> bytes:
        """Return the `esv_net`."""
        return bytes(self._net)

    def run(self, request: bytes) -> bytes:
        """Embed a segment of frames, see `Served.run`."""
        embedding = ctypes.create_string_buffer(self._net.embedding_dim)
        self._net.begin(self._state)
        status = 0
        for start in range(0, len(request), self._net.num_mels):
            status = status or self._net.push(self._state, request[start : start + self._net.num_mels])
        status = status or self._net.finish(self._state, ctypes.byref(embedding))
        if status != 0:
            raise Refusal(f"push\nstatus {status}")
        return embedding.raw


class _EsvConfig(ctypes.Structure):
    """`esv_config` of targets/common/include/esv.h, whose last member is an `esv_gate_config`."""

    _fields_ = (
        ("net", ctypes.c_void_p),
        ("features", ctypes.c_void_p),
        ("port", ctypes.c_void_p),
        ("cohort", ctypes.c_void_p),
        ("top_n", ctypes.c_uint16),
        ("hop_frames", ctypes.c_uint16),
        ("threshold", ctypes.c_float),
        ("min_speech_blocks", ctypes.c_uint16),
        ("hangover_blocks", ctypes.c_uint16),
        ("open_db", ctypes.c_uint8),
        ("close_db", ctypes.c_uint8),
    )


class Device:
    """The whole device runtime of a package: int16 samples in, a float32 embedding out, all of it the device's C.

    Args:
        library: a package's sources.
        prefix: of its names.

    Raises:
        Refusal: the runtime refuses its own configuration.
    """

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self._library = library
        self._config = _EsvConfig.from_buffer_copy(_EsvConfig.in_dll(library, f"{prefix}_config"))
        self._config.min_speech_blocks = self._config.hangover_blocks = 0
        count = ctypes.c_size_t.in_dll(library, f"{prefix}_memory_bytes").value
        self._memory, start = _aligned(count)
        self._net = EsvNet.in_dll(library, prefix)
        self._device = ctypes.c_void_p()
        self._call("init", ctypes.byref(self._device), ctypes.byref(self._config), ctypes.c_void_p(start), count)

    def describe(self) -> bytes:
        """Return the `esv_net`."""
        return bytes(self._net)

    def run(self, request: bytes) -> bytes:
        """Embed a recording, see `Served.run`."""
        embedding = ctypes.create_string_buffer(4 * self._net.embedding_dim)
        self._call("begin", self._device)
        self._call("feed", self._device, request, len(request) // 2)
        self._call("finish", self._device, ctypes.byref(embedding))
        return embedding.raw

    def _call(self, name: str, *arguments: Any) -> None:
        arguments = tuple(ctypes.c_size_t(value) if isinstance(value, int) else value for value in arguments)
        status = getattr(self._library, f"esv_{name}")(*arguments)
        if status != 0:
            text = self._library.esv_status_text
            text.restype = ctypes.c_char_p
            raise Refusal(f"esv_{name}\n{(text(status) or b'').decode(errors='replace')}")


KINDS = {"net": Net, "speaker": SpeakerNet, "device": Device}


def main() -> None:
    """Confine this process, load the library that the argument names, and answer until the other side hangs up."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    requests, answers = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    with suppress(OSError):
        ctypes.CDLL(MATH_LIBRARY)  # the library needs it, and no file can be opened later
    # The near side may move between threads, so this process does not end with the one that started it, but by itself.
    confine(Limits(memory_bytes=MEMORY_BYTES, read=(asked["library"],), with_starter=False))
    signal.alarm(asked["give_up_s"])
    try:
        served = KINDS[asked["kind"]](ctypes.CDLL(asked["library"]), asked["prefix"], **asked["options"])
        _answer(answers, VALUES, served.describe())
        signal.alarm(0)
        while (length := requests.read(LENGTH_BYTES)) != b"":
            request = requests.read(int.from_bytes(length, "little"))
            signal.alarm(asked["give_up_s"])
            _answer_request(answers, served, request)
            signal.alarm(0)
    except Refusal as refusal:
        _answer(answers, REFUSED, _words(refusal))
    except (OSError, ValueError, AttributeError, MemoryError, TypeError) as error:
        _answer(answers, FAILED, _words(error))


def _answer_request(answers: BinaryIO, served: Served, request: bytes) -> None:
    try:
        _answer(answers, VALUES, served.run(request))
    except Refusal as refusal:
        _answer(answers, REFUSED, _words(refusal))


def _answer(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    answers.write((1 + len(content)).to_bytes(LENGTH_BYTES, "little") + kind + content)
    answers.flush()


def _words(error: Exception) -> bytes:
    return (str(error) or type(error).__name__)[:LONGEST_REASON].encode(errors="replace")


def _aligned(count: int) -> tuple[object, int]:
    """Return memory, and where in it so many bytes begin at an aligned address."""
    memory = ctypes.create_string_buffer(count + ALIGNMENT)
    start = ctypes.addressof(memory)
    return memory, start + -start % ALIGNMENT
