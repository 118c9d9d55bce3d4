"""How a recording of any length meets a net with a fixed number of frames: segments in, one embedding out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_sv.errors import DataError, UsageError
from edge_sv.system.array_types import Float32


@dataclass(frozen=True)
class SegmentRule:
    """Cut frames into segments of the net's length.

    Segments start every `hop_frames`. When the last one leaves frames uncovered, one more segment is taken from
    the recording's end. A recording shorter than one segment is repeated from its start until the segment is full.

    Args:
        frames: frames in a segment, the net's fixed input length.
        hop_frames: frames from one segment's start to the next.
    """

    frames: int = 200
    hop_frames: int = 100

    def __post_init__(self) -> None:
        if self.frames < 1 or self.hop_frames < 1:
            raise UsageError(f"impossible segments: {self.frames} frames every {self.hop_frames}")

    def starts(self, num_frames: int) -> list[int]:
        """Return the first frame of each segment of a recording of num_frames."""
        if num_frames <= self.frames:
            return [0]
        last = num_frames - self.frames
        starts = list(range(0, last + 1, self.hop_frames))
        return starts if starts[-1] == last else [*starts, last]

    def cut(self, features: Float32) -> Float32:
        """Cut (num_frames, num_mels) features into (num_segments, frames, num_mels).

        Raises:
            DataError: there is no frame at all.
        """
        if len(features) == 0:
            raise DataError("the recording is shorter than one analysis window")
        if len(features) < self.frames:
            features = np.resize(features, (self.frames, features.shape[1]))
        return np.stack([features[s : s + self.frames] for s in self.starts(len(features))])


def normalize_length(embeddings: Float32) -> Float32:
    """Scale (..., embedding_dim) vectors to length 1; a zero vector stays zero."""
    norms = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(norms, 1e-12), np.float32)


def embed_features(features: Float32, rule: SegmentRule, run: Callable[[Float32], Float32]) -> Float32:
    """Embed frames of any length: the mean of the segments' length-normalized embeddings, itself length-normalized.

    Args:
        features: (num_frames, num_mels).
        rule: how to cut them.
        run: the net, (num_segments, frames, num_mels) -> (num_segments, embedding_dim).

    Returns:
        (embedding_dim,) float32 of length 1.
    """
    return mean_embedding(run(rule.cut(features)))


def mean_embedding(embeddings: Float32) -> Float32:
    """Join the embeddings of a recording's segments: normalize their lengths, average, normalize again.

    Args:
        embeddings: (num_segments, embedding_dim).

    Returns:
        (embedding_dim,) float32 of length 1.
    """
    return normalize_length(normalize_length(embeddings).mean(axis=0))
