"""Teachers: any embedder's view of the training recordings, computed once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import normalize_length
from edge_sv.system.array_types import Float32, Int16
from edge_sv.system.files import atomic_folder, sha256_bytes
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
