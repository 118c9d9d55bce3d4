"""Training batches: batch number n is a function of the seed and n alone, so a resumed run sees the same ones."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sv.errors import unknown_name
from edge_sv.frontend.features import FeatureConfig, normalize
from edge_sv.system.array_types import Float32
from edge_sv.training.bank import FeatureBank
from edge_sv.training.config import AugmentSection
from edge_sv.training.corpus import Utterance

LEAD_FRAMES = 150
"""Frames heard before a crop, at most: the crop's running mean is then as far along as in real use."""
CHANNEL_SHAPES = 3
"""Cosines in a random frequency response: half a period over all bands, a whole one, one and a half."""


@dataclass(frozen=True)
class Batch:
    """One step's data: crops (batch, frames, num_mels, 1), labels (batch,) and teacher targets (batch, dim)."""

    crops: Float32
    labels: npt.NDArray[np.int64]
    targets: Float32


def corpus_shares(utterances: Iterable[Utterance], weights: Mapping[str, float]) -> dict[str, float]:
    """Return how much of what is heard comes from each corpus.

    Args:
        utterances: of all corpora.
        weights: corpus -> weight; empty: by number of speakers.

    Returns:
        corpus -> share; the shares sum to 1.

    Raises:
        UsageError: there is no such corpus.
    """
    speakers: defaultdict[str, set[str]] = defaultdict(set)
    for utterance in utterances:
        speakers[utterance.corpus].add(utterance.speaker)
    for name in weights:
        if name not in speakers:
            raise unknown_name("corpus in corpus_weights", name, speakers)
    chosen = {corpus: weights.get(corpus, 0.0) if weights else len(who) for corpus, who in speakers.items()}
    return {corpus: weight / sum(chosen.values()) for corpus, weight in chosen.items()}


class BatchMaker:
    """Draws crops: a corpus by its share, a speaker of it, a speed, recordings until the crop is full.

    Args:
        bank: the frames.
        features: the front end, with its normalization.
        frames: length of a crop.
        augment: shares and masks.
        corpus_weights: see `corpus_shares`.
        targets: (utterances, speeds, dim) teacher embeddings, dim may be 0.
        seed: of everything drawn here.
    """

    def __init__(
        self,
        bank: FeatureBank,
        features: FeatureConfig,
        *,
        frames: int,
        augment: AugmentSection,
        corpus_weights: Mapping[str, float],
        targets: Float32,
        seed: int,
    ) -> None:
        self._bank, self._features, self._frames = bank, features, frames
        self._augment, self._targets, self._seed = augment, targets, seed
        members: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, utterance in enumerate(bank.utterances):
            members[utterance.corpus][utterance.speaker].append(index)
        self._corpora = [[(speaker, np.array(rows)) for speaker, rows in sorted(m.items())] for m in members.values()]
        shares = corpus_shares(bank.utterances, corpus_weights)
        self._shares = np.array([shares[corpus] for corpus in members])
        speakers = sorted({u.speaker for u in bank.utterances})
        self._class = {name: i * len(bank.speeds) for i, name in enumerate(speakers)}

    @property
    def num_classes(self) -> int:
        """Speakers times speeds."""
        return len(self._class) * len(self._bank.speeds)

    @property
    def target_dim(self) -> int:
        """Length of the teachers' embeddings, side by side; 0 without teachers."""
        return int(self._targets.shape[2])

    def make(self, step: int, batch_size: int, *, augmented: bool = True) -> Batch:
        """Make batch number `step`; not augmented: clean recordings without masks."""
        rng = np.random.default_rng([self._seed, step])
        rows = [self._crop(rng, augmented=augmented) for _ in range(batch_size)]
        crops, labels, targets = zip(*rows, strict=True)
        return Batch(np.stack(crops)[..., None], np.array(labels), np.stack(targets))

    def _crop(self, rng: np.random.Generator, *, augmented: bool) -> tuple[Float32, int, Float32]:
        corpus = self._corpora[rng.choice(len(self._corpora), p=self._shares)]
        speaker, recordings = corpus[rng.integers(len(corpus))]
        speed = int(rng.integers(len(self._bank.speeds)))
        clean = not augmented or self._augment.copies == 0 or rng.random() < self._augment.clean_share
        copy = 0 if clean else int(rng.integers(1, 1 + self._augment.copies))
        chosen, stream = self._stream(rng.permutation(recordings), speed, copy)
        start = int(rng.integers(len(stream) - self._frames + 1))
        lead = min(start, int(rng.integers(LEAD_FRAMES + 1)))
        channel = random_channel(rng, self._features.num_mels, self._augment.channel_db if augmented else 0.0)
        crop = normalize(stream[start - lead : start + self._frames] + channel, self._features)[lead:]
        if augmented:
            self._mask(crop, rng)
        return crop, self._class[speaker] + speed, self._targets[chosen, speed].mean(axis=0)

    def _stream(self, order: npt.NDArray[np.int64], speed: int, copy: int) -> tuple[list[int], Float32]:
        """Join recordings until they fill a crop: which ones, and their frames; too few in all are repeated."""
        chosen: list[int] = []
        pieces: list[Float32] = []
        for utterance in order:
            chosen.append(int(utterance))
            pieces.append(self._bank.get(int(utterance), speed, copy).astype(np.float32))
            if sum(map(len, pieces)) >= self._frames:
                break
        stream = np.concatenate(pieces)
        if len(stream) < self._frames:
            stream = np.resize(stream, (self._frames, stream.shape[1]))
        return chosen, stream

    def _mask(self, crop: Float32, rng: np.random.Generator) -> None:
        """Blank random bands and spans in place. Source: Park et al., SpecAugment, arXiv 1904.08779, section 2."""
        for axis, count, width in (
            (0, self._augment.time_masks, self._augment.time_width),
            (1, self._augment.mel_masks, self._augment.mel_width),
        ):
            for _ in range(count):
                size = int(rng.integers(min(width, crop.shape[axis]) + 1))
                start = int(rng.integers(crop.shape[axis] - size + 1))
                crop[(slice(None),) * axis + (slice(start, start + size),)] = 0


def random_channel(rng: np.random.Generator, num_mels: int, deviation_db: float) -> Float32:
    """Draw a microphone: a gain and three cosines over the bands, (num_mels,) to add to log-mel power.

    Source: after H. Nam et al., FilterAugment, arXiv 2110.03282, whose bands are steps or lines.
    """
    if not deviation_db:
        return np.zeros(num_mels, np.float32)
    bands = (np.arange(num_mels) + 0.5) / num_mels
    shapes = np.cos(np.pi * np.arange(CHANNEL_SHAPES + 1)[:, None] * bands)
    deviation = deviation_db * np.log(10) / 10
    return (rng.normal(0, deviation, CHANNEL_SHAPES + 1) @ shapes).astype(np.float32)


def prefetch(maker: BatchMaker, steps: range, batch_size: int) -> Generator[Batch, None, None]:
    """Yield the batches of `steps`, made two ahead in a thread, which ends when the iterator does.

    Raises:
        whatever making a batch raises.
    """
    ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=2)
    stop = threading.Event()

    def put(item: Batch | BaseException) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return

    def work() -> None:
        try:
            for step in steps:
                if stop.is_set():
                    return
                put(maker.make(step, batch_size))
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        for _ in steps:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
