"""The line protocol and the device behind it: dialogues, samples in every form, and whatever else a wire may carry."""

from __future__ import annotations

import base64
import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv import __version__
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.on_device import device_frames
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system.array_types import Int16
from edge_sv.tflite.quantization import TensorFormat
from tests.firmware.conftest import HOST, run, tool
from tests.firmware.fuzzing import FLAGS
from tests.firmware.test_segments import embedded, in_order

KEY, NO_FLASH, CHECKS, SKIPS, MICROPHONE, COHORT, KEEPS = 1, 2, 4, 8, 16, 32, 64
RULE = SegmentRule(frames=20, hop_frames=10)
ORDER = "ERROR -16 no recording to do that with: begin, feed and finish one first"
COMMAND = "ERROR -29 unknown command, or other arguments than it takes"
LINE = "ERROR -30 the line is too long, or holds bytes that no command has"
PCM = "ERROR -31 the samples are not whole base64 of 16-bit PCM"


class Device:
    def __init__(self, library: ctypes.CDLL, flags: int = 0) -> None:
        self.c = library
        self.flags = flags
        assert library.device_make(flags) == 0

    def restart(self) -> None:
        assert self.c.device_make(self.flags | KEEPS) == 0

    def send(self, data: bytes) -> list[str]:
        """Send bytes, return the lines that came back."""
        self.c.device_clear_answers()
        self.c.device_receive(data, ctypes.c_size_t(len(data)))
        return ctypes.string_at(self.c.device_answers).decode().splitlines()

    def ask(self, line: str) -> str:
        (answer,) = self.send(line.encode() + b"\n")
        return answer

    def record(self, pcm: Int16) -> None:
        assert self.ask("BEGIN") == "OK" and self.ask(as_text(pcm)) == "OK"
        assert self.ask("END") == "OK ms=7"

    def score(self, name: str) -> float:
        answer = self.ask(f"VERIFY {name}")
        match = re.fullmatch(r"OK (ACCEPTED|REJECTED) score=(-?\d+\.\d{6}) threshold=0\.500000", answer)
        assert match, answer
        assert (match[1] == "ACCEPTED") == (float(match[2]) >= 0.5)
        return float(match[2])


def as_text(pcm: Int16) -> str:
    return "PCM " + base64.b64encode(pcm.astype("<i2").tobytes()).decode()


def as_data(pcm: Int16) -> bytes:
    return b"DATA %d\n" % (2 * len(pcm)) + pcm.astype("<i2").tobytes()


def voice(seed: int, seconds: float = 0.6) -> Int16:
    """Noise with a spectrum of its own."""
    rng = np.random.default_rng(seed)
    samples = np.convolve(rng.normal(0, 4000, round(seconds * 16000)), rng.normal(0, 1, 8), "same")
    return np.clip(samples, -32768, 32767).astype(np.int16)


def true_embedding(pcm: Int16) -> npt.NDArray[np.float32]:
    return embedded(device_frames(pcm, FeatureConfig(num_mels=16), TensorFormat((1, 20, 16, 1), 0.0625, -3)), RULE)


@pytest.fixture
def device(device_library: ctypes.CDLL) -> Device:
    return Device(device_library)


def test_embeddings_from_samples_equal_python_bit_for_bit(device: Device) -> None:
    for seed, seconds in ((1, 0.03), (2, 0.2), (3, 0.225), (4, 0.6), (5, 2.0)):
        pcm, out = voice(seed, seconds), np.zeros(12, np.float32)
        handle = ctypes.c_void_p.in_dll(device.c, "device")
        for chunk in (1, 160, 333, len(pcm)):
            assert device.c.esv_begin(handle) == 0
            for start in range(0, len(pcm), chunk):
                part = np.ascontiguousarray(pcm[start : start + chunk])
                assert device.c.esv_feed(handle, ctypes.c_void_p(part.ctypes.data), ctypes.c_size_t(len(part))) == 0
            assert device.c.esv_finish(handle, ctypes.c_void_p(out.ctypes.data)) == 0
            np.testing.assert_array_equal(out, true_embedding(pcm))


@pytest.mark.parametrize("flags", [0, KEY, COHORT, KEY | COHORT | CHECKS])
def test_enrolls_verifies_lists_wipes(device_library: ctypes.CDLL, flags: int) -> None:
    device = Device(device_library, flags)
    for number, seed in enumerate((1, 2, 3), 1):
        device.record(voice(seed))
        assert device.ask("ENROLL ada") == f"OK recordings={number}"
        assert device.ask("ENROLL ada") == ORDER  # a recording counts once
    device.record(voice(9))
    assert device.ask("ENROLL bea") == "OK recordings=1"
    device.restart()
    assert sorted(device.send(b"LIST\n")) == ["OK prints=2", "PRINT ada recordings=3", "PRINT bea recordings=1"]
    device.record(voice(4))
    if not flags & COHORT:
        total = sum(true_embedding(voice(seed)) for seed in (1, 2, 3))
        tested = true_embedding(voice(4))
        cosine = in_order(total * tested) / np.sqrt(in_order(total * total)) / np.sqrt(in_order(tested * tested))
        assert device.score("ada") == pytest.approx(float(cosine), abs=1e-6)
    assert device.ask("VERIFY nobody").startswith("ERROR -21 there is no voice print")
    assert device.ask("WIPE ada") == "OK"
    assert device.ask("VERIFY ada").startswith("ERROR -21")
    assert device.ask("VERIFY bea").startswith("OK ")
    assert device.ask("WIPE") == "OK" and device.send(b"LIST\n") == ["OK prints=0"]


def test_threshold_decides(device: Device) -> None:
    device.record(voice(1))
    device.ask("ENROLL ada")
    device.record(voice(1))
    assert device.score("ada") == 1.0
    assert device.ask("THRESHOLD 1.01") == "OK threshold=1.010000"
    assert device.ask("VERIFY ada").startswith("OK REJECTED score=1.000000 threshold=1.01")
    assert device.ask("THRESHOLD -0.25") == "OK threshold=-0.250000" == device.ask("THRESHOLD")
    for wrong in ("nan", "inf", "1e3", "0x1", ".5", "-", "1.2.3", "12345678", "1,5", "--1"):
        assert device.ask(f"THRESHOLD {wrong}") == COMMAND
    assert device.ask("THRESHOLD 5.") == "OK threshold=5.000000"


def test_says_who_it_is_and_how_it_is(device_library: ctypes.CDLL) -> None:
    device = Device(device_library, KEY)
    assert device.ask("HELLO") == f"OK edge-sv {__version__} protocol=1 model=123456789abc"
    assert device.ask("STATUS") == "OK prints=0 capacity=38 spoiled=0 store=0 threshold=0.500000"
    device = Device(device_library, NO_FLASH)
    assert device.ask("STATUS") == "OK prints=0 capacity=0 spoiled=0 store=-27 threshold=0.500000"
    device.record(voice(1))
    for command in ("ENROLL ada", "VERIFY ada", "LIST", "WIPE", "WIPE ada"):
        assert device.ask(command) == "ERROR -27 this board gives no flash to keep voice prints in"


def test_refuses_recordings_without_speech(device_library: ctypes.CDLL) -> None:
    device = Device(device_library, CHECKS)
    silence, tone = np.zeros(16000, np.int16), np.where(np.arange(16000) % 40 < 20, 32767, -32768).astype(np.int16)
    for pcm, error in ((silence, "-17 the recording is silent"), (voice(1, 0.2), "-18"), (tone, "-19")):
        device.ask("BEGIN")
        device.ask(as_text(pcm))
        assert device.ask("END").startswith(f"ERROR {error}")
        assert device.ask("ENROLL ada") == ORDER
    device = Device(device_library)
    assert device.send(b"BEGIN\nEND\n")[1].startswith("ERROR -18 the recording holds too little speech")


def test_skips_silence_when_asked(device_library: ctypes.CDLL) -> None:
    """With the gate, a pause in a recording changes little; without, much."""
    speech, pause = voice(1, 1.0), (voice(2, 3.0) // 1000).astype(np.int16)
    scores = {}
    for flags in (SKIPS, 0):
        device = Device(device_library, flags)
        device.record(speech)
        device.ask("ENROLL ada")
        device.record(np.concatenate([speech, pause]))
        scores[flags] = device.score("ada")
    assert scores[SKIPS] > 0.95 and scores[SKIPS] > scores[0] + 0.01


def test_samples_come_as_text_as_bytes_and_from_the_microphone(device_library: ctypes.CDLL) -> None:
    device, pcm = Device(device_library, MICROPHONE), voice(5, 1.0)
    device.record(pcm)
    device.ask("ENROLL ada")
    assert device.send(b"BEGIN\r\n" + as_data(pcm[:7777]) + as_data(pcm[7777:]) + b"\nEND\n") == ["OK"] * 3 + [
        "OK ms=7"
    ]
    assert device.score("ada") == 1.0
    square = np.where(np.arange(20000) // 20 % 2 == 0, 5000, -5000).astype(np.int16)
    assert device.send(b"BEGIN\nLISTEN 20000\nEND\n") == ["OK", "OK samples=20000", "OK ms=7"]
    device.ask("ENROLL bea")
    device.record(square)
    assert device.score("bea") == 1.0
    for wrong in ("", " x", " -1", " 99999999"):
        assert device.ask(f"LISTEN{wrong}") == COMMAND
    assert Device(device_library).ask("LISTEN 100") == "ERROR -32 this board gives no microphone"


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_does_not_depend_on_how_bytes_arrive(device_library: ctypes.CDLL, cuts: list[int]) -> None:
    pcm = voice(3, 0.3)
    dialogue = b"HELLO\nBEGIN\n" + as_text(pcm[:1001]).encode() + b"\n" + as_data(pcm[1001:])
    dialogue += b"END\nENROLL ada\nLIST\n" + b"x" * 100 + b"\nWIPE ada\n"
    whole = Device(device_library).send(dialogue)
    device, pieces, at = Device(device_library), [], 0
    while at < len(dialogue):
        size = cuts[at % len(cuts)]
        pieces += device.send(dialogue[at : at + size])
        at += size
    assert pieces == whole and len(whole) == 10


def test_a_recording_with_a_hole_is_none(device: Device) -> None:
    for damage in ("PCM !!!!", "PCM AAA", "PCM AA==", "PCM AAAA====", "PCM AAAAA=AA", "PCM AA=A"):
        assert device.ask("BEGIN") == "OK" and device.ask(as_text(voice(1))) == "OK"
        assert device.ask(damage) == PCM
        assert device.ask(as_text(voice(1))) == "OK"
        assert device.ask("END") == ORDER and device.ask("ENROLL ada") == ORDER
    device.record(voice(1))
    assert device.ask(as_text(voice(1))) == ORDER and device.send(as_data(voice(1)))[0] == ORDER


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"\n\r\n\n", []),
        (b"NOISE\n", [COMMAND]),
        (b"hello\n", [COMMAND]),
        (b"HELLO you\n", [COMMAND]),
        (b" HELLO\n", [COMMAND]),
        (b"PCM\n", [COMMAND]),
        (b"VERIFY\nENROLL\nDATA\n", [COMMAND] * 3),
        (b"DATA 3\nDATA 0\nDATA 65538\nDATA -2\nDATA 4294967298\n", [COMMAND] * 5),
        (b"x" * 5000 + b"\nHELO\n", [LINE, COMMAND]),
        (b"\x00\n\x07HELLO\nA\x7f\n", [LINE] * 3),
        (b"\xff\xfe\n", [COMMAND]),
    ],
)
def test_answers_every_line_once(device: Device, sent: bytes, answers: list[str]) -> None:
    assert device.send(sent) == answers
    assert device.ask("HELLO").startswith("OK edge-sv")


def test_a_name_is_checked(device: Device) -> None:
    device.record(voice(1))
    wrong = "ERROR -20 a name has 1 to 27 bytes, without spaces or control characters"
    assert [device.ask(f"ENROLL {name}") for name in ("", "two words", "x" * 28)] == [wrong] * 3
    assert device.ask("ENROLL Jürgen") == "OK recordings=1"
    assert device.send(b"LIST\n")[0] == "PRINT Jürgen recordings=1"


def test_answers_never_hold_an_embedding(device: Device) -> None:
    answers = []
    for seed in (1, 2):
        device.record(voice(seed))
        answers += [device.ask("VERIFY ada"), device.ask("ENROLL ada")]
    answers += device.send(b"LIST\nSTATUS\nHELLO\nWIPE ada\n")
    said = re.findall(r"-?\d+\.\d+", "\n".join(answers))
    values = [*true_embedding(voice(1)), *true_embedding(voice(2))]
    assert not any(abs(float(number) - value) < 1e-5 for number in said for value in values)


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=400))
def test_survives_anything_and_comes_back(device_library: ctypes.CDLL, junk: bytes) -> None:
    """However the wire was left, 65536 line ends later the device listens: no frame is longer."""
    device = Device(device_library, KEY | MICROPHONE)
    device.send(junk)
    device.send(b"\n" * 65536)
    assert device.ask("HELLO").startswith("OK edge-sv")


def test_the_program_runs_clean_under_the_sanitizers(sanitized_device: list[Path], tmp_path: Path) -> None:
    program = tmp_path / "device"
    run([tool("clang"), *FLAGS, HOST / "main.c", *sanitized_device, "-o", program, "-lm"])
    dialogue = b"HELLO\nBEGIN\n" + as_data(voice(1)) + b"END\nENROLL ada\nLIST\n\x00\nPCM ====\n"
    dialogue += b"BEGIN\n" + as_text(voice(2)).encode() + b"\nEND\nVERIFY ada\nSTATUS\nWIPE\n" + b"x" * 999
    done = subprocess.run([program, str(KEY | COHORT | CHECKS)], input=dialogue, capture_output=True, check=False)
    assert done.returncode == 0 and done.stderr == b""
    assert len(done.stdout.splitlines()) == 15
