"""Teachers: any embedder's view of the training recordings, computed once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_sv.audio import read_recording
from edge_sv.features import Float32, Int16
from edge_sv.files import atomic_folder, sha256_bytes
from edge_sv.training.bank import Progress, change_speed
from edge_sv.training.corpus import Utterance


class Teacher(Protocol):
    """The part of an `Embedder` that distillation needs."""

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
        (utterances, speeds, sum of embedding_dims), the teachers' length-normalized embeddings side by side, so that a
        cosine of two targets is the mean of the teachers' cosines. Source: arXiv 2303.01125 (concatenated teachers).
    """
    if not teachers:
        return np.zeros((len(utterances), len(speeds), 0), np.float32)
    return np.concatenate([_targets(t, utterances, speeds, cache=cache, progress=progress) for t in teachers], axis=2)


def _targets(
    teacher: Teacher, utterances: tuple[Utterance, ...], speeds: tuple[float, ...], *, cache: Path, progress: Progress
) -> Float32:
    files = [(str(u.path), u.path.stat().st_size) for u in utterances]
    key = sha256_bytes(json.dumps([teacher.model_sha256, files, speeds]).encode())
    folder = cache / f"teacher-{key[:16]}"
    if not (folder / "targets.npy").is_file():
        rows = []
        for index, utterance in enumerate(utterances):
            pcm = read_recording(utterance.path)
            rows.append(np.stack([teacher.embed(change_speed(pcm, speed)) for speed in speeds]))
            progress(index + 1, len(utterances), "teacher embeddings")
        with atomic_folder(folder) as temporary:
            np.save(temporary / "targets.npy", np.stack(rows))
    return np.asarray(np.load(folder / "targets.npy"), np.float32)
