"""A model opened for use from Python: it embeds files and arrays, and knows how it scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_sv.artifacts.locate import locate
from edge_sv.audio.samples import Audio, as_pcm
from edge_sv.embedders.base import Embedder
from edge_sv.embedders.open import open_embedder, scoring_artifact
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.scoring.scores import Cohort, Scoring
from edge_sv.system.array_types import Float32

DEFAULT_MODEL = "resnet-nano"


@dataclass(frozen=True, eq=False)
class Model:
    """A speaker net that embeds recordings.

    Args:
        name: of the net.
        embedder: what computes it.
        scoring: how two embeddings are compared, and the threshold; None for a net that was never converted.
        cohort: other speakers' embeddings, for AS-norm.
    """

    name: str
    embedder: Embedder = field(repr=False)
    scoring: Scoring | None = None
    cohort: Cohort | None = field(default=None, repr=False)

    @property
    def features(self) -> FeatureConfig:
        """The front end."""
        return self.embedder.features

    @property
    def segments(self) -> SegmentRule:
        """How recordings are cut."""
        return self.embedder.segments

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self.embedder.embedding_dim

    @property
    def model_sha256(self) -> str:
        """Identity of the model; embeddings of different models do not compare."""
        return self.embedder.model_sha256

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        return self.embedder.sources_sha256

    def embed(self, audio: Audio, *, sample_rate: int | None = None) -> Float32:
        """Embed a recording.

        Args:
            audio: a path, (num_samples,) int16, or (num_samples,) floats in [-1, 1].
            sample_rate: Hz of an array; None: the model's own, 16000 for the bundled nets.

        Returns:
            (embedding_dim,) float32 of length 1; the cosine of two is their product's sum.

        Raises:
            UsageError: an array of another shape or type, or floats beyond [-1, 1].
            DataError: the file cannot be read.

        >>> import edge_sv, numpy as np
        >>> model = edge_sv.load("resnet-nano")
        >>> voice = np.random.default_rng(0).normal(0, 0.1, 32000).clip(-1, 1)
        >>> model.embed(voice).shape
        (64,)
        """
        return self.embedder.embed(as_pcm(audio, sample_rate=self.features.sample_rate, source_rate=sample_rate))


def load(model: str | Path = DEFAULT_MODEL, *, runtime: str | None = None) -> Model:
    """Open a model.

    Args:
        model: a bundled net's name, NET/RECIPE, or the folder or file of a float net, converted model or package.
        runtime: `tflite`, `tflm`, `c`, `emulator` or `keras`; None: LiteRT, or what alone can run the model.

    Raises:
        UsageError: unknown model or runtime, or the runtime cannot run this kind of model.
        DataError: the model is damaged, or it is no model.
        ToolMissing: the runtime is not installed.

    >>> import edge_sv
    >>> edge_sv.load("resnet-nano").embedding_dim
    64
    """
    embedder = open_embedder(model, runtime=runtime)
    artifact = scoring_artifact(model, runtime=runtime)
    if artifact is None:
        return Model(locate(model).name, embedder)
    return Model(artifact.name, embedder, artifact.scoring, artifact.cohort)
