"""What a device must compute: the same as the emulated one, and any difference is counted."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import LiteRTEmbedder
from edge_sv.emulation.device import EmulatedEmbedding
from edge_sv.emulation.reference import Difference, ExpectedDevice, count_differences, mean_embedding
from tests.emulated_programs import VERIFY


def test_differences_are_counted() -> None:
    a = np.arange(12).reshape(3, 4)
    assert count_differences(a, a) == 0
    assert count_differences(a, np.where(a > 9, 0, a)) == 2
    assert count_differences(a, a[:2]) == 12 and count_differences(a[:1], a) == 12
    assert Difference("x", 0, 0, 0).exact and not Difference("x", 0, 0, 1).exact


def test_the_mean_embedding_is_close_to_the_exact_one_and_of_length_1() -> None:
    segments = np.random.default_rng(1).standard_normal((7, 64)).astype(np.float32)
    exact = (segments / np.linalg.norm(segments.astype(np.float64), axis=1, keepdims=True)).sum(axis=0)
    got = mean_embedding(segments)
    np.testing.assert_allclose(got, exact / np.linalg.norm(exact), atol=3e-7)
    assert mean_embedding(np.zeros((2, 8), np.float32)).tolist() == [0.0] * 8


@pytest.mark.parametrize("fixed", [False, True])
def test_it_computes_what_the_desktop_computes_but_for_the_front_end(tiny_artifact: ModelArtifact, fixed: bool) -> None:
    name, pcm = VERIFY[0]
    expected = ExpectedDevice(tiny_artifact, fixed=fixed)
    made = expected.embed(pcm)
    assert float(made.embedding @ LiteRTEmbedder(tiny_artifact).embed(pcm)) > 0.99
    assert expected.compare(name, pcm, made).exact
    outputs = made.outputs.copy()
    outputs[0, 0] ^= 1
    found = expected.compare(name, pcm, EmulatedEmbedding(made.frames, outputs, -made.embedding))
    assert (found.frames, found.outputs, found.embedding) == (0, 1, len(made.embedding))
