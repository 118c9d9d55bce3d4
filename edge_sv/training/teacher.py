"""Teachers: any embedder's view of the training recordings, computed once; or nets' view of each crop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf
import tf_keras

from edge_sv.audio import read_recording
from edge_sv.errors import DataError, UsageError
from edge_sv.features import FeatureConfig, Float32, Int16
from edge_sv.files import atomic_folder, sha256_bytes
from edge_sv.segments import normalize_length
from edge_sv.training.bank import Progress, change_speed
from edge_sv.training.corpus import Utterance, file_sizes


class Teacher(Protocol):
    """The part of an `Embedder` that distillation needs."""

    features: FeatureConfig
    model_sha256: str

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording: (num_samples,) int16 -> (embedding_dim,)."""
        ...


def teacher_targets(
    teachers: Sequence[Teacher],
    utterances: tuple[Utterance, ...],
    speeds: tuple[float, ...],
    *,
    cache: Path,
    progress: Progress,
) -> Float32:
    """Embed every clean recording at every speed by every teacher.

    Returns:
        (utterances, speeds, sum of embedding_dims), the teachers' centred, length-normalized embeddings side by side,
        so that a cosine of two targets is the mean of the teachers' cosines. Source: arXiv 2303.01125 (concatenated
        teachers); the centring is ours: what all speakers share would fill most of the cosine and teach nothing.

    Raises:
        DataError: a recording cannot be used, or the cache cannot be written.
    """
    if not teachers:
        return np.zeros((len(utterances), len(speeds), 0), np.float32)
    views = [_targets(t, utterances, speeds, cache=cache, progress=progress) for t in teachers]
    return np.concatenate([normalize_length(view - view.mean(axis=(0, 1))) for view in views], axis=2)


def _targets(
    teacher: Teacher, utterances: tuple[Utterance, ...], speeds: tuple[float, ...], *, cache: Path, progress: Progress
) -> Float32:
    files = file_sizes(u.path for u in utterances)
    key = sha256_bytes(json.dumps([teacher.model_sha256, files, speeds]).encode())
    folder = cache / f"teacher-{key[:16]}"
    if not (folder / "targets.npy").is_file():
        rows = []
        for index, utterance in enumerate(utterances):
            rows.append(_embed(teacher, utterance, speeds))
            progress(index + 1, len(utterances), "teacher embeddings")
        with atomic_folder(folder) as temporary:
            np.save(temporary / "targets.npy", np.stack(rows))
    try:
        return np.asarray(np.load(folder / "targets.npy"), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder} is damaged", details={"got": str(error)}, hint="remove it") from error


def _embed(teacher: Teacher, utterance: Utterance, speeds: tuple[float, ...]) -> Float32:
    """Embed one recording at every speed, (speeds, embedding_dim)."""
    pcm = read_recording(utterance.path, sample_rate=teacher.features.sample_rate)
    try:
        return np.stack([teacher.embed(change_speed(pcm, speed)) for speed in speeds])
    except DataError as error:
        raise DataError(f"{utterance.path}: {error.message}", details=error.details, hint=error.hint) from error


class CropView:
    """Embeds crops by teacher nets: centred, length-normalized, side by side, as `teacher_targets` does.

    Args:
        nets: (batch, frames, num_mels, 1) -> (batch, dim).
        crops: (batch, frames, num_mels, 1) clean ones, whose mean embedding is what all speakers share.

    Raises:
        UsageError: a net takes other crops than these.
    """

    def __init__(self, nets: Sequence[tf_keras.Model], crops: Float32) -> None:
        for net in nets:
            if net.input_shape[2:] != crops.shape[2:]:
                raise UsageError(
                    "a teacher cannot see this run's crops: it has another front end",
                    details={"got": f"{net.input_shape[2]} mel bands, wanted {crops.shape[2]}"},
                    hint='set [loss] teacher_view = "recording"',
                )
        self._nets = [tf.function(net, reduce_retracing=True) for net in nets]
        self._means = [self._embed(net, crops).mean(axis=0) for net in self._nets]

    def __call__(self, crops: Float32) -> Float32:
        """Embed crops, (batch, frames, num_mels, 1) -> (batch, sum of dims)."""
        views = [self._embed(net, crops) - mean for net, mean in zip(self._nets, self._means, strict=True)]
        return np.concatenate([normalize_length(view) for view in views], axis=1)

    def _embed(self, net: tf.types.experimental.PolymorphicFunction, crops: Float32) -> Float32:
        outputs = np.asarray(tf.cast(net(tf.constant(crops)), tf.float32))
        return outputs.reshape(len(crops), -1)
