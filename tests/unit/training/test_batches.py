"""Batch number n is a function of the seed and n alone, and holds what the bank holds."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_sv.errors import UsageError
from edge_sv.frontend.features import FeatureConfig, normalize
from edge_sv.training.bank import FeatureBank
from edge_sv.training.batches import Batch, BatchMaker, corpus_shares, prefetch, random_channel
from edge_sv.training.config import AugmentSection
from edge_sv.training.corpus import Utterance

MELS, FRAMES, DIM = 4, 20, 3
FEATURES = FeatureConfig(num_mels=MELS, normalization="none", clip=1000.0)
PLAIN = AugmentSection(speeds=(0.9, 1.0), copies=2, time_masks=0, mel_masks=0)
LENGTHS = (30, 50, 12, 25, 7, 400)
SPEAKERS = ("a", "a", "b", "c", "c", "d")
CORPORA = ("x", "x", "x", "x", "x", "y")


@pytest.fixture(scope="module")
def bank() -> FeatureBank:
    """Six recordings whose frames spell where they come from: utterance, speed, copy, position."""
    utterances = tuple(
        Utterance(f"{i}.wav", speaker, corpus)  # type: ignore[arg-type]
        for i, (speaker, corpus) in enumerate(zip(SPEAKERS, CORPORA, strict=True))
    )
    offsets = np.zeros((6, 2, 3, 2), np.int64)
    frames: list[tuple[int, ...]] = []
    for i, speed, copy in np.ndindex(6, 2, 3):
        offsets[i, speed, copy] = len(frames), len(frames) + LENGTHS[i]
        frames += [(i, speed, copy, t) for t in range(LENGTHS[i])]
    return FeatureBank(np.array(frames, np.float16), offsets, np.zeros(MELS, np.float32), utterances, (0.9, 1.0))


@pytest.fixture(scope="module")
def targets() -> np.ndarray:
    """(6, 2, 3): utterance, speed, 1."""
    return np.stack([[(i, speed, 1) for speed in range(2)] for i in range(6)]).astype(np.float32)


def maker(bank: FeatureBank, targets: np.ndarray, **changes: Any) -> BatchMaker:
    settings = {
        "features": FEATURES,
        "frames": FRAMES,
        "augment": PLAIN,
        "corpus_weights": {},
        "targets": targets,
        "seed": 5,
    }
    return BatchMaker(bank, **{**settings, **changes})


def test_equal_number_equal_batch(bank: FeatureBank, targets: np.ndarray) -> None:
    first, other = maker(bank, targets), maker(bank, targets)
    for step in (3, 0, 1 << 30, 3):
        a, b = first.make(step, 16), other.make(step, 16)
        np.testing.assert_array_equal(a.crops, b.crops)
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.targets, b.targets)


def test_another_number_or_seed_another_batch(bank: FeatureBank, targets: np.ndarray) -> None:
    batches = [maker(bank, targets, seed=seed).make(step, 16).crops for seed in (5, 6) for step in (0, 1)]
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(batches, 2))


def test_shapes_and_labels(bank: FeatureBank, targets: np.ndarray) -> None:
    batches = maker(bank, targets)
    assert batches.num_classes == 8 and batches.target_dim == DIM
    batch = batches.make(0, 200)
    assert batch.crops.shape == (200, FRAMES, MELS, 1) and batch.crops.dtype == np.float32
    assert batch.targets.shape == (200, DIM)
    assert set(batch.labels) == set(range(8))


def test_labels_and_targets_follow_the_recordings(bank: FeatureBank, targets: np.ndarray) -> None:
    batch = maker(bank, targets).make(1, 300)
    for crop, label, target in zip(batch.crops[..., 0], batch.labels, batch.targets, strict=True):
        heard = {int(i) for i in crop[:, 0]}
        (speed,), (copy,) = set(crop[:, 1]), set(crop[:, 2])
        (speaker,) = {SPEAKERS[i] for i in heard}
        assert label == 2 * "abcd".index(speaker) + speed
        assert copy in (0, 1, 2)
        assert target[1] == speed and target[2] == 1
        joined = {i for i, name in enumerate(SPEAKERS) if name == speaker}
        means = {np.float32(np.mean(c)) for n in (1, 2, 3) for c in itertools.permutations(joined, n) if heard <= {*c}}
        assert target[0] in means
        if len(heard) == 1 and max(heard) in (0, 1, 3, 5):  # long enough to stand alone
            np.testing.assert_array_equal(np.diff(crop[:, 3]), 1)


def test_recordings_that_are_too_short_are_repeated(bank: FeatureBank, targets: np.ndarray) -> None:
    crops = maker(bank, targets).make(0, 300).crops[..., 0]
    of_b = [crop for crop in crops if crop[0, 0] == 2]
    assert of_b
    for crop in of_b:
        np.testing.assert_array_equal(crop[:, 3], np.arange(FRAMES) % LENGTHS[2])


def test_clean_share(bank: FeatureBank, targets: np.ndarray) -> None:
    for share, expected in ((1.0, {0}), (0.0, {1, 2})):
        augment = PLAIN.model_copy(update={"clean_share": share})
        assert set(maker(bank, targets, augment=augment).make(0, 100).crops[:, 0, 2, 0]) == expected
    augment = PLAIN.model_copy(update={"clean_share": 0.3})
    copies = maker(bank, targets, augment=augment).make(0, 1000).crops[:, 0, 2, 0]
    assert np.mean(copies == 0) == pytest.approx(0.3, abs=0.05)
    augment = PLAIN.model_copy(update={"copies": 0, "clean_share": 0.0})
    assert set(maker(bank, targets, augment=augment).make(0, 50).crops[:, 0, 2, 0]) == {0}


def test_shares_of_corpora() -> None:
    utterances = [Utterance("p", s, c) for s, c in zip(SPEAKERS, CORPORA, strict=True)]  # type: ignore[arg-type]
    assert corpus_shares(utterances, {}) == {"x": 0.75, "y": 0.25}
    assert corpus_shares(utterances, {"x": 1, "y": 3}) == {"x": 0.25, "y": 0.75}
    assert corpus_shares(utterances, {"y": 2}) == {"x": 0, "y": 1}
    with pytest.raises(UsageError, match="unknown corpus in corpus_weights 'yy'"):
        corpus_shares(utterances, {"yy": 1})


def test_corpora_are_heard_by_weight(bank: FeatureBank, targets: np.ndarray) -> None:
    labels = maker(bank, targets, corpus_weights={"x": 1, "y": 4}).make(0, 1000).labels
    assert np.mean(labels >= 6) == pytest.approx(0.8, abs=0.04)
    assert set(maker(bank, targets, corpus_weights={"y": 1}).make(0, 50).labels) <= {6, 7}


def test_without_teachers_targets_are_empty(bank: FeatureBank) -> None:
    batches = maker(bank, np.zeros((6, 2, 0), np.float32))
    assert batches.target_dim == 0
    assert batches.make(0, 4).targets.shape == (4, 0)


def test_a_channel_is_one_smooth_offset_a_crop(bank: FeatureBank, targets: np.ndarray) -> None:
    augment = PLAIN.model_copy(update={"channel_db": 3.0})
    heard = maker(bank, targets, augment=augment, corpus_weights={"y": 1}).make(0, 100).crops[..., 0]
    np.testing.assert_allclose(
        np.diff(heard, axis=1), np.broadcast_to([0, 0, 0, 1], (100, FRAMES - 1, MELS)), atol=1e-3
    )
    assert heard[:, 0, 0].std() > 0.5 and heard[:, 0, 2].std() > 0.5
    silent = maker(bank, targets, augment=augment).make(0, 100, augmented=False).crops
    np.testing.assert_array_equal(silent, np.rint(silent))


def test_the_spread_of_channels() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([random_channel(rng, 80, 3.0) for _ in range(4000)]) * 10 / np.log(10)
    assert drawn.mean(axis=1).std() == pytest.approx(3.0, rel=0.05)
    assert (drawn - drawn.mean(axis=1, keepdims=True)).std() == pytest.approx(3 * np.sqrt(3 / 2), rel=0.05)
    assert np.abs(np.diff(drawn, axis=1)).max() < 2
    assert not random_channel(rng, 80, 0.0).any()


def test_normalization_hears_what_came_before(bank: FeatureBank, targets: np.ndarray) -> None:
    features = replace(FEATURES, normalization="running_mean", mean_start=(0.0, 0.0, 0.0, 0.0), prior_frames=10)
    raw = maker(bank, targets, corpus_weights={"y": 1}).make(2, 60).crops[..., 0]
    heard = maker(bank, targets, corpus_weights={"y": 1}, features=features).make(2, 60).crops[..., 0]
    led = 0
    for a, b in zip(raw, heard, strict=True):
        start = int(a[0, 3])
        recording = bank.get(5, int(a[0, 1]), int(a[0, 2])).astype(np.float32)
        matches = [
            lead
            for lead in range(min(start, 150) + 1)
            if np.array_equal(normalize(recording[start - lead : start + FRAMES], features)[lead:], b)
        ]
        assert matches, "no number of frames before the crop gives these values"
        led += matches[0] > 0
    assert led > 5


def test_masks_blank_bands_and_spans(bank: FeatureBank, targets: np.ndarray) -> None:
    augment = PLAIN.model_copy(update={"time_masks": 1, "time_width": 6, "mel_masks": 1, "mel_width": 2})
    shifted = replace(FEATURES, mean_start=(-1.0, -1.0, -1.0, -1.0))  # so that 0 comes from masks alone
    batches = maker(bank, targets, augment=augment, features=shifted)
    plain, masked = batches.make(4, 100, augmented=False).crops[..., 0], batches.make(4, 100).crops[..., 0]
    assert (plain[0] != 0).all()
    np.testing.assert_array_equal(plain[0][masked[0] != 0], masked[0][masked[0] != 0])
    rows, columns = (masked == 0).all(axis=2).sum(axis=1), (masked == 0).all(axis=1).sum(axis=1)
    assert rows.max() == 6 and columns.max() == 2 and rows.min() == columns.min() == 0
    for crop in masked == 0:
        blank = np.flatnonzero(crop.all(axis=1))
        assert len(blank) in (0, FRAMES) or blank[-1] - blank[0] == len(blank) - 1


def test_masks_wider_than_the_crop(bank: FeatureBank, targets: np.ndarray) -> None:
    augment = PLAIN.model_copy(update={"time_masks": 1, "time_width": 99, "mel_masks": 1, "mel_width": 99})
    assert maker(bank, targets, augment=augment).make(0, 50).crops.shape == (50, FRAMES, MELS, 1)


def prefetch_threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


def test_prefetch_gives_the_same_batches(bank: FeatureBank, targets: np.ndarray) -> None:
    batches = maker(bank, targets)
    ahead = list(prefetch(batches, range(7, 12), 4))
    assert len(ahead) == 5
    for step, batch in zip(range(7, 12), ahead, strict=True):
        np.testing.assert_array_equal(batch.crops, batches.make(step, 4).crops)
    assert prefetch_threads() == 0


class Stops(BatchMaker):
    """Makes three batches, then fails."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def make(self, step: int, batch_size: int, *, augmented: bool = True) -> Batch:
        if step == 3:
            raise OSError("the disk is gone")
        self.made.append(step)
        return Batch(np.zeros(1, np.float32), np.zeros(1, np.int64), np.zeros(1, np.float32))


def test_prefetch_passes_on_errors() -> None:
    received = []
    with pytest.raises(OSError, match="the disk is gone"):
        for batch in prefetch(Stops(), range(9), 1):
            received.append(batch)
    assert len(received) == 3
    assert prefetch_threads() == 0


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_prefetch_stops_when_nobody_takes(taken: int) -> None:
    """At 1 the maker's error waits behind two batches that nobody will take."""
    source = Stops()
    batches = prefetch(source, range(9), 1)
    for _ in range(taken):
        next(batches)
    time.sleep(0.1)
    started = time.monotonic()
    batches.close()
    assert time.monotonic() - started < 2
    assert prefetch_threads() == 0
    assert len(source.made) <= taken + 3
