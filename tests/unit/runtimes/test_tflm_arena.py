"""The measured arena is the smallest that works."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.runtimes import tflm_arena

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")


@given(needed=st.integers(1, 5000), step=st.sampled_from([1, 16, 64]))
def test_bisection_finds_the_smallest_multiple(needed: int, step: int) -> None:
    found = tflm_arena.smallest(lambda size: size >= needed, largest=8192, step=step)
    assert found == -(-needed // step) * step


def test_nothing_works() -> None:
    assert tflm_arena.smallest(lambda size: False, largest=1024) is None


def test_measured_size_runs_and_less_does_not(tiny_artifact: ModelArtifact) -> None:
    measured = tflm_arena.measure_arena(tiny_artifact.model).measured_bytes
    assert tflm_arena._runs(tiny_artifact.model, measured)
    assert not tflm_arena._runs(tiny_artifact.model, measured - tflm_arena.STEP)
    assert 25 * 8 * 8 + 13 * 4 * 16 < measured < 20_000  # two largest neighbouring activations are alive at once


def test_scratch_and_margin(tiny_artifact: ModelArtifact) -> None:
    plain = tflm_arena.measure_arena(tiny_artifact.model)
    conv = tflm_arena.measure_arena(tiny_artifact.model, filters=[(8, 3, 3, 1), (16, 3, 3, 8)])
    assert plain.scratch_bytes == 0
    assert conv.scratch_bytes == 4 * 3 * 3 * 8
    assert dataclasses.replace(conv, scratch_bytes=0, margin_bytes=0) == dataclasses.replace(plain, margin_bytes=0)
    assert tflm_arena.convolution_scratch((8, 3, 3, 1)) == 4 * 16


@pytest.mark.parametrize("data", [b"", b"not a model at all", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_what_does_not_run_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="does not run in TensorFlow Lite Micro"):
        tflm_arena.measure_arena(data)
