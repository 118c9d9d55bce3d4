"""What turns a float net into a model file: a plug-in; and the speech that it is calibrated with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.frontend.features import FeatureConfig, compute_features
from edge_sv.frontend.segments import SegmentRule
from edge_sv.plugins.entry import CONVERTERS, load_plugin
from edge_sv.recipes.recipe import CompressionRecipe
from edge_sv.system.array_types import Float32, Int16

MIN_SEGMENTS = 32
"""Fewer segments leave the range of some activations unseen."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Segments of real speech that show a converter the range of every activation.

    Args:
        segments: (num_segments, frames, num_mels) float32 normalized features.
        source: where they come from, for the model's provenance.

    Raises:
        DataError: fewer than 32 segments, NaN or infinite values, or segments in which nothing changes (silence).
    """

    segments: Float32
    source: str

    def __post_init__(self) -> None:
        segments = self.segments
        if segments.ndim != 3 or len(segments) < MIN_SEGMENTS:
            raise DataError(
                f"calibration needs at least {MIN_SEGMENTS} segments of speech",
                details={"got": f"{len(segments)} from {self.source}"},
                hint="give more or longer recordings",
            )
        finite = np.isfinite(segments).all(axis=(1, 2))
        if not finite.all():
            number = int(np.argmin(finite))
            raise DataError(f"calibration segment {number} from {self.source} has NaN or infinite values")
        silent = segments.std(axis=1).mean(axis=1) < 1e-2
        if silent.any():
            raise DataError(
                f"calibration segment {int(np.argmax(silent))} from {self.source} is silent",
                details={"got": f"{int(silent.sum())} of {len(segments)} segments in which no band changes"},
                hint="calibrate with speech",
            )


def calibrate(
    recordings: list[Int16], features: FeatureConfig, segments: SegmentRule, *, source: str, per_recording: int = 1
) -> Calibration:
    """Cut calibration segments out of recordings; the first ones of each, so that no voice outweighs the others.

    Args:
        recordings: (num_samples,) each, at features.sample_rate.
        features: the model's front end.
        segments: the model's segments; a recording shorter than one is passed over.
        source: where the recordings come from.
        per_recording: segments taken of each recording.

    Raises:
        DataError: what comes out cannot calibrate a model, see `Calibration`.
    """
    frames = [compute_features(pcm, features) for pcm in recordings]
    long_enough = [f for f in frames if len(f) >= segments.frames]
    if not long_enough:
        raise DataError(
            f"no recording from {source} is as long as a segment",
            details={"got": f"{len(recordings)} recordings", "segment": f"{segments.frames} frames"},
        )
    return Calibration(np.concatenate([segments.cut(f)[:per_recording] for f in long_enough]), source)


class Converter(Protocol):
    """Turns a float net into a converted model."""

    name: str
    """Of the model files it makes, in their provenance."""
    version: str
    """Changes when the same inputs give another result."""

    def convert(self, net: Path, recipe: CompressionRecipe, calibration: Calibration) -> ModelArtifact:
        """Convert a float net's folder.

        Raises:
            DataError: the net or the calibration cannot be used.
            UsageError: the net was not compressed by this recipe.
        """

    def convert_float(self, net: Path) -> bytes:
        """Convert the same graph without quantization, tensors named alike: what each layer should compute."""


def find_converter(name: str) -> Converter:
    """Load an installed converter.

    Raises:
        UsageError: there is none of this name.
        ToolMissing: it is installed and does not load.
    """
    converter: Converter = load_plugin(CONVERTERS, name)
    return converter
