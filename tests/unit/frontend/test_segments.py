"""Segments: every frame is used, segments are the net's length, and the embedding is a mean on the unit sphere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.segments import SegmentRule, embed_features, normalize_length
from edge_sv.system.array_types import Float32

seeded = settings(deadline=None, derandomize=True)


@st.composite
def rules(draw: st.DrawFn) -> SegmentRule:
    """Rules whose segments touch or overlap."""
    frames = draw(st.integers(1, 60))
    return SegmentRule(frames=frames, hop_frames=draw(st.integers(1, frames)))


def ramp(num_frames: int) -> Float32:
    """Return (num_frames, 2) features that say where they are: frame t is [t, -t]."""
    return np.stack([np.arange(num_frames), -np.arange(num_frames)], axis=1).astype(np.float32)


@seeded
@given(rules(), st.integers(1, 500))
def test_every_frame_is_in_a_segment(rule: SegmentRule, num_frames: int) -> None:
    covered = set(rule.cut(ramp(num_frames))[:, :, 0].astype(int).ravel())
    assert covered == set(range(num_frames))


@seeded
@given(rules(), st.integers(0, 440))
def test_segments_are_whole_in_order_and_end_with_the_recording(rule: SegmentRule, more: int) -> None:
    num_frames = rule.frames + more
    starts = rule.starts(num_frames)
    assert starts[0] == 0
    assert starts[-1] + rule.frames == num_frames
    steps = np.diff(starts)
    assert (steps[:-1] == rule.hop_frames).all()
    assert (steps > 0).all()
    assert (steps <= rule.hop_frames).all()
    for start, segment in zip(starts, rule.cut(ramp(num_frames)), strict=True):
        np.testing.assert_array_equal(segment, ramp(num_frames)[start : start + rule.frames])


@pytest.mark.parametrize(
    ("num_frames", "starts"),
    [(1, [0]), (200, [0]), (201, [0, 1]), (299, [0, 99]), (300, [0, 100]), (301, [0, 100, 101]), (400, [0, 100, 200])],
)
def test_starts_around_the_ends(num_frames: int, starts: list[int]) -> None:
    assert SegmentRule(frames=200, hop_frames=100).starts(num_frames) == starts


def test_a_hop_longer_than_a_segment_skips_frames_but_not_the_end() -> None:
    assert SegmentRule(frames=10, hop_frames=25).starts(100) == [0, 25, 50, 75, 90]


@seeded
@given(rules(), st.integers(1, 60))
def test_a_short_recording_is_repeated_from_its_start(rule: SegmentRule, num_frames: int) -> None:
    num_frames = min(num_frames, rule.frames)
    (segment,) = rule.cut(ramp(num_frames))
    np.testing.assert_array_equal(segment, ramp(num_frames)[np.arange(rule.frames) % num_frames])


def test_no_frame_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="shorter than one analysis window"):
        SegmentRule().cut(np.zeros((0, 40), np.float32))


@pytest.mark.parametrize(("frames", "hop_frames"), [(0, 1), (1, 0), (-5, 1)])
def test_impossible_rules_are_refused(frames: int, hop_frames: int) -> None:
    with pytest.raises(UsageError, match=f"{frames} frames every {hop_frames}"):
        SegmentRule(frames=frames, hop_frames=hop_frames)


@seeded
@given(hnp.arrays(np.float32, (4, 6), elements=st.floats(-1e6, 1e6, width=32)))
def test_lengths_become_one_and_zero_stays_zero(vectors: Float32) -> None:
    lengths = np.linalg.norm(normalize_length(vectors), axis=-1)
    long_enough = np.linalg.norm(vectors, axis=-1) > 1e-6
    np.testing.assert_allclose(lengths[long_enough], 1, atol=1e-5)
    assert not lengths[(vectors == 0).all(axis=-1)].any()


def test_the_embedding_is_the_mean_direction_of_its_segments() -> None:
    """Each segment weighs the same, however long its raw embedding is."""
    rule = SegmentRule(frames=10, hop_frames=10)
    raw = {0: [3.0, 0.0], 10: [0.0, 0.01], 20: [-5.0, 0.0]}
    embedding = embed_features(ramp(30), rule, lambda segments: np.float32([raw[int(s[0, 0])] for s in segments]))
    np.testing.assert_allclose(embedding, [0, 1], atol=1e-6)
    assert embedding.dtype == np.float32


@seeded
@given(rules(), st.integers(1, 200))
def test_an_embedding_has_length_one(rule: SegmentRule, num_frames: int) -> None:

    def run(segments: Float32) -> Float32:
        return np.array([[1 + segment[0, 0], segment.mean(), 2] for segment in segments], np.float32)

    embedding = embed_features(ramp(num_frames), rule, run)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_the_net_sees_segments_of_its_length() -> None:
    shapes = []

    def run(segments: Float32) -> Float32:
        shapes.append(segments.shape)
        return np.ones((len(segments), 3), np.float32)

    embed_features(ramp(345), SegmentRule(frames=100, hop_frames=50), run)
    assert shapes == [(6, 100, 2)]
