"""A net's int8 form next to its float form, for the tests of all net families.

No trained weights are needed: weights are random, batch normalization is calibrated on the data, and "speakers" are
seeded noise with an offset and a loudness of their own in each band. The converter is TensorFlow's, so that
nothing of the project's own conversion is taken for granted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_sv.runtimes.interpreter import run_each
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.runtimes.tflm import TflmInterpreter
from edge_sv.tflite.quantization import TensorFormat

if TYPE_CHECKING:
    import tf_keras

CALIBRATION, TEST = 24, 12


@dataclass(frozen=True)
class Int8Comparison:
    """One net, converted to int8.

    Args:
        litert: (TEST, embedding_dim) int8 from LiteRT's reference kernels.
        tflm: the same from TensorFlow Lite Micro.
        cosines: (TEST,) between int8 and float embeddings, both minus the mean float embedding.
        model: the .tflite file.
        inputs: (TEST, frames, num_mels, channels) int8.
    """

    litert: np.ndarray
    tflm: np.ndarray
    cosines: np.ndarray
    model: bytes
    inputs: np.ndarray

    def generated_c(self, count: int = 2) -> np.ndarray:
        """Run the first inputs through the model as generated C; (count, embedding_dim) int8."""
        from edge_sv.plugins.generator import find_generator
        from edge_sv.tflite.flatbuffer import parse_model

        output = int(parse_model(self.model).subgraphs[0].outputs[0])
        generator = find_generator("c_source")
        return np.array([generator.trace(self.model, [item[np.newaxis]])[output][0] for item in self.inputs[:count]])


def make_features(count: int, frames: int, num_mels: int, channels: int = 1) -> np.ndarray:
    """Make (count, frames, num_mels, channels) noise, correlated in time, with an offset and scale for each item."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(count, frames, num_mels, channels))
    for t in range(1, frames):
        noise[:, t] = 0.8 * noise[:, t - 1] + 0.6 * noise[:, t]
    offset = 0.8 * rng.normal(size=(count, 1, num_mels, channels))
    scale = np.exp(0.4 * rng.normal(size=(count, 1, num_mels, channels)))
    return np.float32(noise * scale + offset)


def calibrate_batch_norm(model: tf_keras.Model, features: np.ndarray) -> None:
    """Set the moving statistics to those of the features."""
    import tf_keras

    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(features, training=True)


@pytest.fixture(scope="session")
def preset() -> Callable[[str], tf_keras.Model]:
    """Build a preset, once; for tests that only look at it."""
    from edge_sv.models.presets import build_preset

    return functools.cache(build_preset)


@pytest.fixture(scope="session")
def compare_int8() -> Callable[[tf_keras.Model], Int8Comparison]:
    """Calibrate a net with random weights, convert it, run it in both interpreters."""
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' to run TFLM")

    def compare(model: tf_keras.Model) -> Int8Comparison:
        features = make_features(CALIBRATION + TEST, *model.input_shape[1:])
        calibrate_batch_norm(model, features[:CALIBRATION])
        data = _convert(model, features[:CALIBRATION])
        reference, micro = LiteRTInterpreter(data, reference_kernels=True), TflmInterpreter(data)
        (source,), (target,) = (map(TensorFormat.from_details, ends) for ends in (reference.inputs, reference.outputs))
        inputs = source.quantize(features[CALIBRATION:])
        litert, tflm = run_each(reference, inputs), run_each(micro, inputs)
        embeddings = target.dequantize(litert)
        centre = model(features[:CALIBRATION], training=False).numpy().mean(axis=0)
        exact = model(features[CALIBRATION:], training=False).numpy()
        return Int8Comparison(
            litert,
            tflm,
            _cosines(embeddings - centre, exact - centre),
            model=data,
            inputs=inputs,
        )

    return compare


def _convert(model: tf_keras.Model, features: np.ndarray) -> bytes:
    import tensorflow as tf

    run = tf.function(lambda x: model(x, training=False))
    concrete = run.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([item[np.newaxis]] for item in features)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
