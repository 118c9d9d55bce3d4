"""Sensitivities are what they say: the Hessian's trace as second derivatives give it, and the embedding's change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

from edge_sv.compress.sensitivity import (
    MAX_PROBES,
    MEASURES,
    MIN_PROBES,
    Method,
    ResultJournal,
    hessian_traces,
    measure_embedding,
    measure_hessian,
)

CROPS = 12


@pytest.fixture(scope="module")
def model() -> tf_keras.Model:
    tf_keras.utils.set_random_seed(3)
    inputs = tf_keras.Input((10, 6, 1))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="first_bn")(x))
    x = layers.ReLU()(layers.Conv2D(6, 3, name="second")(x))
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return tf_keras.Model(inputs, layers.Reshape((8,))(layers.Conv2D(8, 1, name="embedding")(x)))


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(CROPS, 10, 6, 1)).astype(np.float32)


def quiet(_done: int, _total: int, _what: str) -> None:
    """Report nothing."""


def loss_of(model: tf_keras.Model, crops: np.ndarray) -> Callable[[], tf.Tensor]:
    """Return the cosine distance to the embeddings that the net has now, as a function of its weights."""
    anchor = tf.stop_gradient(tf.math.l2_normalize(model(crops, training=False), -1))

    def loss() -> tf.Tensor:
        now = tf.math.l2_normalize(model(crops, training=False), -1)
        return tf.reduce_mean(1 - tf.reduce_sum(now * anchor, -1))

    return loss


def exact_trace(model: tf_keras.Model, crops: np.ndarray, layer: str) -> float:
    """Differentiate the loss twice by every single weight."""
    loss, kernel = loss_of(model, crops), model.get_layer(layer).kernel
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            value = loss()
        gradient = tf.reshape(inner.gradient(value, kernel), [-1])
    rows = outer.jacobian(gradient, kernel).numpy().reshape(kernel.shape.num_elements(), -1)
    return float(np.trace(rows))


def test_traces_are_those_of_the_second_derivatives(model: tf_keras.Model, crops: np.ndarray, tmp_path: Path) -> None:
    estimated = hessian_traces(model, crops, journal=ResultJournal(tmp_path / "notes.json"), progress=quiet)
    assert set(estimated) == {"first", "second", "embedding"}
    for layer, trace in estimated.items():
        assert trace == pytest.approx(exact_trace(model, crops, layer), rel=0.2)


def test_the_hessian_foretells_what_small_changes_cost(
    model: tf_keras.Model, crops: np.ndarray, tmp_path: Path
) -> None:
    """The mean loss over random changes of one length is half of trace / n * length^2."""
    rng, loss, kernel = np.random.default_rng(2), loss_of(model, crops), model.get_layer("second").kernel
    before = kernel.numpy()
    changes = [0.01 * rng.normal(size=before.shape).astype(np.float32) for _ in range(200)]
    losses = []
    for change in changes:
        kernel.assign(before + change)
        losses.append(float(loss()))
    kernel.assign(before)
    told = measure_hessian(
        model,
        {"second": {n: before + change for n, change in enumerate(changes)}},
        crops,
        journal=ResultJournal(tmp_path / "notes.json"),
        progress=quiet,
    )
    assert np.mean(list(told["second"].values())) / 2 == pytest.approx(np.mean(losses), rel=0.2)


def test_the_embedding_is_measured_with_one_layer_rounded(
    model: tf_keras.Model, crops: np.ndarray, tmp_path: Path
) -> None:
    kernels = {name: model.get_layer(name).kernel.numpy() for name in ("first", "embedding")}
    rounded = {name: {8: kernel, 2: np.sign(kernel) * 0.2} for name, kernel in kernels.items()}
    told = measure_embedding(model, rounded, crops, journal=ResultJournal(tmp_path / "notes.json"), progress=quiet)
    loss = loss_of(model, crops)
    for name, kernel in kernels.items():
        np.testing.assert_array_equal(model.get_layer(name).kernel.numpy(), kernel)
        assert told[name][8] < 1e-12
        model.get_layer(name).kernel.assign(rounded[name][2])
        assert told[name][2] == pytest.approx(float(loss()), rel=1e-3) and told[name][2] > 1e-3
        model.get_layer(name).kernel.assign(kernel)


@pytest.mark.parametrize("method", MEASURES)
def test_a_killed_search_goes_on(model: tf_keras.Model, crops: np.ndarray, tmp_path: Path, method: Method) -> None:
    rounded = {name: {2: model.get_layer(name).kernel.numpy() * 0.9} for name in ("first", "second", "embedding")}

    def kill(done: int, _total: int, _what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    def search(name: str, progress: Callable[[int, int, str], None]) -> dict[str, dict[int, float]]:
        return MEASURES[method](model, rounded, crops, journal=ResultJournal(tmp_path / name), progress=progress)

    with pytest.raises(KeyboardInterrupt):
        search("killed.json", kill)
    noted = (tmp_path / "killed.json").read_bytes()
    assert search("killed.json", quiet) == search("whole.json", quiet)
    assert (tmp_path / "killed.json").read_bytes().startswith(noted.rstrip(b"}")), "what was noted is kept"
    (tmp_path / "killed.json").write_bytes(noted[:-4])
    assert search("killed.json", quiet) == search("whole.json", quiet)


def test_a_note_is_made_once(tmp_path: Path) -> None:
    made = []

    def make() -> list[float]:
        made.append(1)
        return [0.1, 2.0]

    assert [ResultJournal(tmp_path / "notes.json").fetch("a", make) for _ in range(3)] == [[0.1, 2.0]] * 3
    assert len(made) == 1


def test_probes_end_between_their_limits(model: tf_keras.Model, crops: np.ndarray, tmp_path: Path) -> None:
    seen: list[int] = []
    hessian_traces(
        model, crops, journal=ResultJournal(tmp_path / "notes.json"), progress=lambda done, *_: seen.append(done)
    )
    assert seen == list(range(1, len(seen) + 1)) and MIN_PROBES <= len(seen) <= MAX_PROBES
