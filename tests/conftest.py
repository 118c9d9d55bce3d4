"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.provenance import Provenance
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.scoring.scores import Cohort, Scoring
from edge_sv.tflite.flatbuffer import pack_model, parse_model, profile_operators

# A shell starts background jobs deaf to Ctrl-C, and they would hand that on to the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """Folder of the speech corpora (see CONTRIBUTING); EDGE_SV_DATA overrides its place."""
    folder = Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "index.csv").is_file():
        pytest.skip(f"speech corpora not found at {folder}; set EDGE_SV_DATA to the folder that holds index.csv")
    return folder


@pytest.fixture(scope="session")
def tiny_artifact() -> ModelArtifact:
    """A converted net with random weights, fast: 50 frames of 16 mels to 24 numbers; AS-norm with a cohort."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    tf = pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
    keras = pytest.importorskip("tf_keras", reason="pip install 'edge-sv[train]'")
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    frames, mels, dim = 50, 16, 24
    x = inputs = keras.layers.Input((frames, mels, 1), batch_size=1)
    for name, filters in (("stem", 8), ("block", 16)):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", name=name)(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    x = keras.layers.Reshape((dim,), name="flat")(keras.layers.Conv2D(dim, 1, name="embedding")(x))
    net = tf.function(keras.Model(inputs, x)).get_concrete_function(tf.TensorSpec((1, frames, mels, 1)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    calibration = rng.normal(0, 2, (32, 1, frames, mels, 1)).astype(np.float32)
    converter.representative_dataset = lambda: ([segment] for segment in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    model = pack_model(parse_model(converter.convert()))
    return ModelArtifact(
        name="tiny",
        kind="tflite",
        model=model,
        features=FeatureConfig(num_mels=mels),
        segments=SegmentRule(frames=frames, hop_frames=25),
        embedding_dim=dim,
        recipe="static_wi8_ai8",
        layers=profile_operators(parse_model(model)),
        scoring=Scoring(kind="as_norm", threshold=1.25, false_accept_rate=0.01, top_n=5),
        cohort=Cohort(rng.normal(size=(12, dim)).astype(np.float32)),
        provenance=Provenance({"float_sha256": "0" * 64}),
    )
