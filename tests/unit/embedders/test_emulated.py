"""The device's program on an emulated board embeds as the same C on this computer."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import TflmEmbedder
from edge_sv.embedders.emulated import EmulatedEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.package.golden_vectors import buzz
from tests.firmware.conftest import tool

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def embedder(tiny_artifact: ModelArtifact) -> EmulatedEmbedder:
    for name in ("qemu-system-arm", "arm-none-eabi-gcc"):
        tool(name)
    return EmulatedEmbedder(tiny_artifact)


def test_a_segment_has_the_bits_of_tflm(embedder: EmulatedEmbedder, tiny_artifact: ModelArtifact) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    segment = np.random.default_rng(3).integers(-128, 128, (50, 16)).astype(np.int8)
    np.testing.assert_array_equal(embedder.invoke(segment), TflmEmbedder(tiny_artifact).invoke(segment))
    with pytest.raises(DataError, match="input 0 is"):
        embedder.invoke(segment[1:])


def test_a_recording_is_embedded_by_the_device(embedder: EmulatedEmbedder, tiny_artifact: ModelArtifact) -> None:
    pcm = buzz(40_000, 16000)
    assert float(embedder.embed(pcm) @ TflmEmbedder(tiny_artifact).embed(pcm)) > 0.99
    with pytest.raises(UsageError, match=r"takes \(num_samples,\) int16"):
        embedder.embed(pcm / 32768)


def test_its_identity_is_the_program(embedder: EmulatedEmbedder, tiny_artifact: ModelArtifact) -> None:
    assert EmulatedEmbedder(tiny_artifact).sources_sha256 == embedder.sources_sha256
