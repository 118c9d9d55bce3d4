"""What an embedder is, and the part that all int8 runtimes share: PCM -> features -> int8 -> net -> embedding."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule, embed_features
from edge_sv.runtimes.interpreter import Interpreter
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
    """An embedder around an int8 model; a runtime adds `invoke`."""

    input: TensorFormat
    output: TensorFormat

    def __init__(self, artifact: ModelArtifact) -> None:
        self.features = artifact.features
        self.segments = artifact.segments
        self.embedding_dim = artifact.embedding_dim
        self.model_sha256 = artifact.sha256

    @property
    @abc.abstractmethod
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""

    @abc.abstractmethod
    def invoke(self, segment: Int8) -> Int8:
        """Run the net: (frames, num_mels) int8 in the input's scale -> (embedding_dim,) int8."""

    def run(self, segment: Float32) -> Float32:
        """Embed one segment of features, (frames, num_mels) -> (embedding_dim,), not length-normalized."""
        return self.output.dequantize(self.invoke(self.input.quantize(segment)))

    def embed(self, pcm: Int16) -> Float32:
        """Embed a recording, (num_samples,) int16 -> (embedding_dim,) float32 of length 1."""
        return embed_features(compute_features(pcm, self.features), self.segments, self.run)

    def _set_formats(self, input_details: Mapping[str, Any], output_details: Mapping[str, Any]) -> None:
        self.input = TensorFormat.from_details(input_details)
        self.output = TensorFormat.from_details(output_details)
        wanted = (1, self.segments.frames, self.features.num_mels, 1)
        if self.input.shape != wanted:
            raise DataError(
                "the model does not fit its description",
                details={"got": f"input {self.input.shape}", "described": f"input {wanted}"},
            )
        if int(np.prod(self.output.shape)) != self.embedding_dim:
            raise DataError(
                "the model does not fit its description",
                details={"got": f"output {self.output.shape}", "described": f"{self.embedding_dim} values"},
            )


class InterpreterEmbedder(IntegerEmbedder):
    """An embedder around an interpreter of the model.

    Args:
        artifact: the model.
        interpreter: runs it.

    Raises:
        DataError: the model is not an int8 embedding net as the artifact describes it.
    """

    def __init__(self, artifact: ModelArtifact, interpreter: Interpreter) -> None:
        super().__init__(artifact)
        self._interpreter = interpreter
        (input_details,), (output_details,) = interpreter.inputs, interpreter.outputs
        self._set_formats(input_details, output_details)

    def invoke(self, segment: Int8) -> Int8:
        """Run the net, see `IntegerEmbedder.invoke`."""
        return np.asarray(self._interpreter.run(segment)[0], np.int8).reshape(self.embedding_dim)
