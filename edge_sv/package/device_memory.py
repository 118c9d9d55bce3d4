"""What the device runtime needs beside the net: twins of the size macros in targets/common, compared in the tests."""

from __future__ import annotations

from edge_sv.frontend.features import FeatureConfig

OBJECT_BYTES = 704
"""ESV_OBJECT_BYTES of esv.h."""
_FFT_BIN_BYTES, _SAMPLE_BYTES, _VALUE_BYTES = 8, 2, 4
_STORE_HEAD_BYTES, _STORE_ENTRY_BYTES = 32, 56 + 31


def features_bytes(config: FeatureConfig) -> int:
    """Return what `esv_features_bytes` returns: FFT, running means, and samples that wait for their frame."""
    samples = (config.window_length + 1) * _SAMPLE_BYTES
    return sum(map(_aligned, (config.fft_size // 2 * _FFT_BIN_BYTES, config.num_mels * _VALUE_BYTES, samples)))


def memory_bytes(config: FeatureConfig, *, state_bytes: int, frames: int, embedding_dim: int, top_n: int) -> int:
    """Return ESV_BYTES of esv.h: all memory of a device that enrolls and verifies.

    Args:
        config: its front end.
        state_bytes: of the net.
        frames: in a segment.
        embedding_dim: length of an embedding.
        top_n: nearest cohort speakers, 0 without a cohort.
    """
    embedding = _aligned(embedding_dim * _VALUE_BYTES)
    segments = _aligned(state_bytes) + _aligned(frames * config.num_mels) + 2 * embedding + _aligned(embedding_dim)
    store = _STORE_HEAD_BYTES + _aligned(embedding_dim * _VALUE_BYTES + _STORE_ENTRY_BYTES)
    own = OBJECT_BYTES + _aligned(config.num_mels) + 2 * embedding + _aligned(top_n * _VALUE_BYTES)
    return own + features_bytes(config) + segments + store


def _aligned(size: int) -> int:
    """ESV_ALIGN_UP of esv_align.h."""
    return (size + 15) // 16 * 16
