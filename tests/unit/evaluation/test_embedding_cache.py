"""Cached embeddings are good as long as what they depend on is the same: sound, model, code and libraries."""

from __future__ import annotations

import resource
import stat
from pathlib import Path

import numpy as np
import pytest

from edge_sv.embedders import Embedder, KerasEmbedder, LiteRTEmbedder, TflmEmbedder, open_artifact
from edge_sv.errors import DataError
from edge_sv.evaluation import embedding_cache
from edge_sv.evaluation.embedding_cache import EmbeddingCache, embedding_key
from edge_sv.evaluation.evaluate import embed_recordings
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.system import code_version
from edge_sv.system.files import sha256_file


def test_the_cache_knows_what_an_embedding_depends_on(voices: Path, tmp_path: Path) -> None:
    files = (voices / "s0/0.wav",)
    base = {
        "model_sha256": "a",
        "embedder": "x",
        "features": FeatureConfig(),
        "segments": SegmentRule(),
        "degradation": None,
    }
    keys = {
        embedding_key(files, **base),
        embedding_key((voices / "s0/1.wav",), **base),
        embedding_key(files * 2, **base),
        embedding_key(files, **{**base, "model_sha256": "b"}),
        embedding_key(files, **{**base, "embedder": "y"}),
        embedding_key(files, **{**base, "features": FeatureConfig(num_mels=40)}),
        embedding_key(files, **{**base, "segments": SegmentRule(100, 50)}),
        embedding_key(files, **{**base, "degradation": "noise"}),
    }
    assert len(keys) == 8
    copy = tmp_path / "copy.wav"
    copy.write_bytes(files[0].read_bytes())
    assert embedding_key((copy,), **base) == embedding_key(files, **base)
    assert "s0" not in embedding_key(files, **base)


def test_the_cache_is_for_its_owner_alone(cache: EmbeddingCache) -> None:
    cache.put("key", np.array([1, 2.5], np.float32))
    np.testing.assert_array_equal(cache.get("key"), np.array([1, 2.5], np.float32))
    assert cache.get("other") is None
    assert stat.S_IMODE(cache.path.parent.stat().st_mode) == 0o700
    for path in cache.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_cache_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "embeddings.sqlite").write_bytes(b"no database at all, " * 50)
    with pytest.raises(DataError) as error:
        EmbeddingCache(tmp_path)
    assert "embeddings.sqlite" in str(error.value) and "delete" in str(error.value)
    with pytest.raises(DataError, match="cannot use the embedding cache"):
        EmbeddingCache(tmp_path / "embeddings.sqlite")


def test_a_full_disk_is_told_and_what_was_kept_stays(cache: EmbeddingCache) -> None:
    """A limit on file size stands for the full disk: both make the write fail."""
    embedding, kept = np.ones(64, np.float32), 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(DataError, match="cannot use the embedding cache"):
            for kept in range(5000):
                cache.put(str(kept), embedding)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kept > 10
    reopened = EmbeddingCache(cache.path.parent)
    assert all(reopened.get(str(i)) is not None for i in range(kept))
    reopened.close()


def change_source(monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    """Let one source file of the package have other contents, as far as keys can tell."""

    def hash_of(path: Path) -> str:
        return "changed" if path.as_posix().endswith(changed) else sha256_file(path)

    monkeypatch.setattr(code_version, "sha256_file", hash_of)
    embedding_cache._reading_identity.cache_clear()


def embedded_again(embedder: Embedder, voices: Path, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Ask for one recording's embedding; tell whether it was computed, not found in the cache."""
    calls = []
    embed = embedder.embed
    with monkeypatch.context() as patch:
        patch.setattr(embedder, "embed", lambda pcm: calls.append(1) or embed(pcm))
        embed_recordings(embedder, {"one": (voices / "s0/0.wav",)}, cache=cache)
    return bool(calls)


@pytest.mark.parametrize(
    ("kind", "changed", "stale"),
    [
        ("keras", "edge_sv/models/pooling.py", True),
        ("keras", "edge_sv/frontend/features.py", True),
        ("keras", "edge_sv/audio/recording.py", True),
        ("keras", "edge_sv/tflite/quantization.py", False),
        ("keras", "edge_sv/report/page.py", False),
        ("tflite", "edge_sv/tflite/quantization.py", True),
        ("tflite", "edge_sv/runtimes/litert.py", True),
        ("tflite", "edge_sv/audio/noisy_copy.py", True),
        ("tflite", "edge_sv/models/pooling.py", False),
        ("tflite", "edge_sv/report/page.py", False),
        ("tflm", "edge_sv/runtimes/tflm.py", True),
        ("tflm", "edge_sv/report/page.py", False),
    ],
)
def test_a_change_of_code_makes_stale_what_it_computes_and_nothing_else(
    net: Path,
    voices: Path,
    cache: EmbeddingCache,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    changed: str,
    stale: bool,
) -> None:
    makers = {
        "keras": lambda: KerasEmbedder(net),
        "tflite": lambda: LiteRTEmbedder(open_artifact(net)),
        "tflm": lambda: TflmEmbedder(open_artifact(net)),
    }
    embedder = makers[kind]()
    assert (Path(code_version.__file__).parents[2] / changed).is_file()
    assert embedded_again(embedder, voices, cache, monkeypatch)
    assert not embedded_again(embedder, voices, cache, monkeypatch)
    try:
        change_source(monkeypatch, changed)
        assert embedded_again(embedder, voices, cache, monkeypatch) == stale
    finally:
        embedding_cache._reading_identity.cache_clear()


@pytest.mark.parametrize(
    ("kind", "library"), [("keras", "tensorflow"), ("tflite", "ai-edge-litert"), ("tflm", "tflite-micro")]
)
def test_another_version_of_the_runtime_makes_embeddings_stale(
    net: Path, monkeypatch: pytest.MonkeyPatch, kind: str, library: str
) -> None:
    embedder = KerasEmbedder(net) if kind == "keras" else None
    if embedder is None:
        embedder = {"tflite": LiteRTEmbedder, "tflm": TflmEmbedder}[kind](open_artifact(net))
    before, version = embedder.sources_sha256, code_version._version
    assert version(library) is not None
    monkeypatch.setattr(code_version, "_version", lambda name: "99" if name == library else version(name))
    assert embedder.sources_sha256 != before
