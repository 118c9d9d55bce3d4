"""Segments on the device: the embedding of any recording is, bit for bit, what Python computes from the same frames."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from edge_sv.frontend.segments import SegmentRule, embed_features
from edge_sv.system.array_types import Float32, Int8
from edge_sv.tflite.quantization import TensorFormat

FRAMES, MELS, DIM = 20, 16, 12
OUTPUT = TensorFormat((1, DIM), 0.03125, 5)


def tiny_net(segment: Int8) -> Int8:
    """The twin of tests/firmware/host/tiny_net.c: (frames, mels) -> (dim,)."""
    t, d = np.arange(FRAMES)[:, None], np.arange(DIM)[None]
    sums = (segment[:, np.arange(DIM) % MELS].astype(np.int32) * ((7 * t + 13 * d) % 11 - 5)).sum(axis=0)
    return np.clip(np.trunc(sums / 64), -128, 127).astype(np.int8)


def in_order(values: Float32) -> np.float32:
    """Sum float32 values one after the other, as the device does."""
    return np.float32(np.cumsum(values, dtype=np.float32)[-1])


def normalized(embedding: Float32) -> Float32:
    return embedding / max(np.sqrt(in_order(embedding * embedding)), np.float32(1e-12))


def embedded(frames: Int8, rule: SegmentRule) -> Float32:
    """What the device must give, in float32 and in its order."""
    total = np.zeros(DIM, np.float32)
    for segment in rule.cut(frames):  # type: ignore[arg-type]
        total += normalized(OUTPUT.dequantize(tiny_net(segment)))
    return normalized(total)


class Device:
    def __init__(self, library: ctypes.CDLL, hop_frames: int) -> None:
        self.c = library
        self.c.esv_segments_bytes.restype = ctypes.c_size_t
        self.net = ctypes.byref(ctypes.c_char.in_dll(library, "tiny_net"))
        self.self = ctypes.create_string_buffer(256)
        size = self.c.esv_segments_bytes(self.net)
        self.memory = (ctypes.c_uint8 * (size + 16))()
        at = (ctypes.addressof(self.memory) + 15) // 16 * 16
        init = self.c.esv_segments_init
        assert init(self.self, self.net, hop_frames, ctypes.c_void_p(at + 8), ctypes.c_size_t(size)) == -2
        assert init(self.self, self.net, hop_frames, ctypes.c_void_p(at), ctypes.c_size_t(size - 1)) == -2
        assert init(self.self, self.net, hop_frames, ctypes.c_void_p(at), ctypes.c_size_t(size)) == 0

    def embed(self, frames: Int8) -> Float32 | int:
        out = np.zeros(DIM, np.float32)
        self.c.esv_segments_begin(self.self)
        for frame in np.ascontiguousarray(frames):
            assert self.c.esv_segments_push(self.self, ctypes.c_void_p(frame.ctypes.data)) == 0
        status = self.c.esv_segments_finish(self.self, ctypes.c_void_p(out.ctypes.data))
        return out if status == 0 else int(status)


def random_frames(count: int) -> Int8:
    return np.random.default_rng(count).integers(-128, 128, (count, MELS)).astype(np.int8)


@pytest.mark.parametrize("hop_frames", [1, 7, 10, 19, 20, 21, 33])
def test_equals_python_bit_for_bit(device_library: ctypes.CDLL, hop_frames: int) -> None:
    device, rule = Device(device_library, hop_frames), SegmentRule(FRAMES, hop_frames)
    for count in [*range(1, 3 * FRAMES + 3), 100, 101, 107, 133, 250]:
        frames = random_frames(count)
        expected = embedded(frames, rule)
        np.testing.assert_array_equal(device.embed(frames), expected, err_msg=f"{count} frames")
        assert np.linalg.norm(expected) == pytest.approx(1, abs=1e-6)


def test_agrees_with_the_desktop(device_library: ctypes.CDLL) -> None:
    """The desktop sums in another order: one in a million."""
    rule, grid = SegmentRule(FRAMES, 10), TensorFormat((1, FRAMES, MELS, 1), 0.0625, -3)
    for count in (5, 20, 47, 200):
        frames = random_frames(count)
        desktop = embed_features(
            grid.dequantize(frames),
            rule,
            lambda segments: OUTPUT.dequantize(np.stack([tiny_net(segment) for segment in grid.quantize(segments)])),
        )
        np.testing.assert_allclose(Device(device_library, 10).embed(frames), desktop, atol=1e-6)


def test_a_recording_without_a_frame_is_too_short(device_library: ctypes.CDLL) -> None:
    assert Device(device_library, 10).embed(random_frames(0)) == -18
