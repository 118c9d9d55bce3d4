"""Small nets with random weights for tests of conversion and building."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact, save_artifact
from edge_sv.audio.recording import read_recording
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.plugins.converter import Calibration, calibrate, find_converter
from edge_sv.recipes.reading import load_recipe
from edge_sv.system.bundled import assets_dir

FEATURES = FeatureConfig(num_mels=24)
SEGMENTS = SegmentRule(frames=64, hop_frames=64)


def voices() -> list[Path]:
    """Return the bundled synthetic recordings."""
    return sorted((assets_dir() / "voices").glob("*.flac"))


def voice_calibration(features: FeatureConfig = FEATURES, segments: SegmentRule = SEGMENTS) -> Calibration:
    """Make calibration segments of the bundled synthetic recordings."""
    recordings = [read_recording(path, sample_rate=features.sample_rate) for path in voices()]
    return calibrate(recordings, features, segments, source="synthetic voices", per_recording=8)


def make_float_net(folder: Path, *, seed: int = 1) -> Path:
    """Write a two-stage ResNet with seeded random weights; about 6,000 of them."""
    from edge_sv.models.checkpoint import NetDescription, build_net, save_net
    from edge_sv.models.resnet import ResNetConfig

    config = ResNetConfig(
        stem_channels=8,
        stem_stride=(2, 2),
        stage_channels=(8, 16),
        stage_blocks=(1, 1),
        downsample=("none", "stride"),
        pooling="deviation",
        embedding_dim=16,
    )
    description = NetDescription("tiny", "resnet", config, FEATURES, SEGMENTS)
    model = build_net(description)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        layer.set_weights([_random(rng, weight.shape, layer.name) for weight in layer.get_weights()])
    save_net(folder, description, model)
    return folder


def make_converted_net(folder: Path, *, seed: int = 1) -> Path:
    """Write a float net with its converted form beside it, calibrated on the synthetic voices."""
    make_float_net(folder, seed=seed)
    save_artifact(folder / "static_wi8_ai8", convert(folder))
    return folder


def convert(net: Path) -> ModelArtifact:
    """Convert a float net, calibrated on the synthetic voices."""
    return find_converter("tflite").convert(net, load_recipe("static_wi8_ai8"), voice_calibration())


def _random(rng: np.random.Generator, shape: tuple[int, ...], layer: str) -> np.ndarray:
    if layer.endswith("_bn"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return (rng.normal(size=shape) * np.sqrt(2 / max(1, np.prod(shape[:-1])))).astype(np.float32)
