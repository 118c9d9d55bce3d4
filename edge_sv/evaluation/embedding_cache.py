"""Embeddings that were computed before, kept on disk so that an interrupted evaluation goes on where it stopped.

Embeddings are biometric data: the file is for its owner alone, and its keys are hashes that name nobody.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge_sv.errors import DataError, reason_of
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system.array_types import Float32
from edge_sv.system.code_version import code_identity
from edge_sv.system.files import sha256_bytes, sha256_file

READING = ("edge_sv.audio.noisy_copy", "edge_sv.audio.recording")
"""What makes the samples that are embedded; the embedder says what makes an embedding of them."""
LIBRARIES = ("numpy", "scipy", "soundfile", "soxr")


class EmbeddingCache:
    """A folder with one SQLite file; every embedding is on disk as soon as it is put, whole or not at all.

    Args:
        folder: made when missing, readable by its owner alone.

    Raises:
        DataError: the place is not writable, or the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "embeddings.sqlite"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise self._unusable(reason_of(error)) from error
        with self._errors_named():
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS embeddings (key TEXT PRIMARY KEY, vector BLOB NOT NULL)"
            )

    def get(self, key: str) -> Float32 | None:
        """Return the (embedding_dim,) embedding of a key, None when it is not there."""
        with self._errors_named():
            row = self._connection.execute("SELECT vector FROM embeddings WHERE key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], "<f4").astype(np.float32)

    def put(self, key: str, embedding: Float32) -> None:
        """Keep an embedding.

        Raises:
            DataError: the disk is full.
        """
        with self._errors_named():
            self._connection.execute(
                "INSERT OR REPLACE INTO embeddings VALUES (?, ?)", (key, embedding.astype("<f4").tobytes())
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Raise the database's errors as `DataError`, with the file's name."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from error

    def _unusable(self, reason: str) -> DataError:
        return DataError(
            f"cannot use the embedding cache {self.path}",
            details={"got": reason},
            hint="delete that file, set XDG_CACHE_HOME to another place, or pass --no-cache",
        )


@functools.cache
def _reading_identity() -> str:
    return code_identity(*READING, libraries=LIBRARIES)


def embedding_key(
    files: Sequence[Path],
    *,
    model_sha256: str,
    embedder: str,
    features: FeatureConfig,
    segments: SegmentRule,
    degradation: str | None = None,
) -> str:
    """Make the key of a recording's embedding: everything that it depends on, files by their contents.

    Args:
        files: joined, they are the recording.
        model_sha256: of the model.
        embedder: identity of the code that runs the model, see `Embedder.sources_sha256`.
        features: front end.
        segments: how the recording is cut.
        degradation: what is done to the recording first, see `NoisyCopy.key`.

    Raises:
        DataError: a file cannot be read.
    """
    try:
        contents = [sha256_file(path) for path in files]
    except OSError as error:
        raise DataError(f"cannot read {error.filename}", details={"got": reason_of(error)}) from error
    parts = [
        _reading_identity(),
        model_sha256,
        embedder,
        features.to_dict(),
        repr(segments),
        degradation,
        contents,
    ]
    return sha256_bytes(json.dumps(parts, sort_keys=True).encode())
