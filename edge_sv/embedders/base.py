"""What an embedder is, and the part that all int8 runtimes share: PCM -> features -> int8 -> net -> embedding."""

from __future__ import annotations

import abc
from typing import Protocol

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule, embed_features
from edge_sv.runtimes.interpreter import Interpreter, run_each
from edge_sv.system.array_types import Float32, Int8, Int16
from edge_sv.tflite.quantization import TensorFormat


class Embedder(Protocol):
    """Turns recordings into embeddings, whatever computes it. Use one embedder from one thread at a time."""

    @property
    def features(self) -> FeatureConfig:
        """The front end."""

    @property
    def segments(self) -> SegmentRule:
        """How recordings are cut."""

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""

    @property
    def model_sha256(self) -> str:
        """Identity of the model; embeddings of different models do not compare."""

    @property
    def sources_sha256(self) -> str:
        """Identity of the code and the libraries that compute embeddings: with another one old embeddings are stale."""

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording, (num_samples,) int16 -> (embedding_dim,) float32 of length 1."""


class IntegerEmbedder(abc.ABC):
    """An embedder around an interpreter of an int8 model.

    Args:
        artifact: the model.
        interpreter: runs it.

    Raises:
        DataError: the model is not an int8 embedding net as the artifact describes it.
    """

    def __init__(self, artifact: ModelArtifact, interpreter: Interpreter) -> None:
        self.features = artifact.features
        self.segments = artifact.segments
        self.embedding_dim = artifact.embedding_dim
        self.model_sha256 = artifact.sha256
        self._interpreter = interpreter
        (input_details,), (output_details,) = interpreter.inputs, interpreter.outputs
        self.input, self.output = TensorFormat.from_details(input_details), TensorFormat.from_details(output_details)
        wanted = (1, self.segments.frames, self.features.num_mels, 1)
        if self.input.shape != wanted:
            raise _not_as_described(f"input {self.input.shape}", f"input {wanted}")
        if int(np.prod(self.output.shape)) != self.embedding_dim:
            raise _not_as_described(f"output {self.output.shape}", f"{self.embedding_dim} values")

    @property
    @abc.abstractmethod
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""

    def invoke(self, segment: Int8) -> Int8:
        """Run the net: (frames, num_mels) int8 in the input's scale -> (embedding_dim,) int8."""
        return np.asarray(self._interpreter.run(segment)[0], np.int8).reshape(self.embedding_dim)

    def run(self, segments: Float32) -> Float32:
        """Embed segments of features, (n, frames, num_mels) -> (n, embedding_dim), not length-normalized."""
        return self.output.dequantize(run_each(self._interpreter, self.input.quantize(segments)))

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording, (num_samples,) int16 -> (embedding_dim,) float32 of length 1."""
        return embed_features(compute_features(pcm, self.features), self.segments, self.run)


def _not_as_described(got: str, described: str) -> DataError:
    return DataError("the model does not fit its description", details={"got": got, "described": described})
