"""The float net in Keras: the source that every converted model is measured against.

The one embedder that reaches TensorFlow, and only when it is built.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sv.artifacts.net import net_sha256
from edge_sv.errors import ToolMissing
from edge_sv.frontend.features import compute_features
from edge_sv.frontend.segments import embed_features
from edge_sv.system.array_types import Float32, Int16
from edge_sv.system.code_version import code_identity
from edge_sv.system.native_log import held_native_log


class KerasEmbedder:
    """Runs a float net.

    Args:
        folder: holds `net.json` and `weights.npz`.

    Raises:
        ToolMissing: TensorFlow is not installed.
        DataError: the folder is not a float net, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with held_native_log():
                from edge_sv.models.checkpoint import load_net
        except ImportError as error:
            raise ToolMissing(
                "TensorFlow is not usable here", details={"got": str(error)}, hint="pip install 'edge-sv[train]'"
            ) from error
        with held_native_log():
            self._model, description = load_net(folder)
        self.features = description.features
        self.segments = description.segments
        self.embedding_dim = int(self._model.output_shape[-1])
        self.model_sha256 = net_sha256(folder)

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        return code_identity(__name__, libraries=("numpy", "tensorflow", "tf_keras"))

    def run(self, segments: Float32) -> Float32:
        """Embed segments of features, (n, frames, num_mels) -> (n, embedding_dim), not length-normalized."""
        outputs = self._model(segments[..., np.newaxis], training=False)
        return np.asarray(outputs, np.float32).reshape(len(segments), self.embedding_dim)

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording, (num_samples,) int16 -> (embedding_dim,) float32 of length 1."""
        return embed_features(compute_features(pcm, self.features), self.segments, self.run)
