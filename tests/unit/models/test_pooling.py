from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

pytest.importorskip("edge_sv.models.layers", reason="pip install 'edge-sv[train]'")

import tf_keras

from edge_sv.errors import UsageError
from edge_sv.models.pooling import GATE_FLOOR, VARIANCE_EPSILON, PoolingKind, pool_time

KINDS = get_args(PoolingKind)
FRAMES, FREQ, CHANNELS = 12, 3, 4


def pooling_net(kind: str, *, frames: int | None = FRAMES, freq: int = FREQ) -> tf_keras.Model:
    tf_keras.utils.set_random_seed(3)
    x = tf_keras.Input((frames, freq, CHANNELS))
    return tf_keras.Model(x, pool_time(x, kind, name="pool", attention_channels=8))


@pytest.fixture
def maps() -> np.ndarray:
    """(5, FRAMES, FREQ, CHANNELS) with offsets, so that mean and spread are unalike."""
    rng = np.random.default_rng(1)
    return np.float32(rng.normal(size=(5, FRAMES, FREQ, CHANNELS)) + rng.normal(size=(5, 1, FREQ, CHANNELS)))


def flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def pooled(kind: str, maps: np.ndarray) -> np.ndarray:
    return flat(pooling_net(kind)(maps).numpy())


class TestValues:
    def test_mean(self, maps: np.ndarray) -> None:
        np.testing.assert_allclose(pooled("mean", maps), flat(maps.mean(axis=1)), atol=1e-6)

    def test_mean_time_freq(self, maps: np.ndarray) -> None:
        np.testing.assert_allclose(pooled("mean_time_freq", maps), maps.mean(axis=(1, 2)), atol=1e-6)

    def test_statistics_are_mean_and_standard_deviation(self, maps: np.ndarray) -> None:
        mean, std = np.split(pooled("statistics", maps), 2, axis=1)
        variance = flat(maps.var(axis=1))
        np.testing.assert_allclose(mean, flat(maps.mean(axis=1)), atol=1e-6)
        np.testing.assert_allclose(std, variance / np.sqrt(variance + VARIANCE_EPSILON), rtol=1e-5)
        np.testing.assert_allclose(std, flat(maps.std(axis=1)), rtol=0.02)

    def test_deviation_is_half_the_mean_absolute_deviation(self, maps: np.ndarray) -> None:
        mean, half = np.split(pooled("deviation", maps), 2, axis=1)
        absolute = np.abs(maps - maps.mean(axis=1, keepdims=True)).mean(axis=1)
        np.testing.assert_allclose(mean, flat(maps.mean(axis=1)), atol=1e-6)
        np.testing.assert_allclose(2 * half, flat(absolute), rtol=1e-5)

    def test_attentive_is_the_gates_weighted_mean_and_deviation(self, maps: np.ndarray) -> None:
        net = pooling_net("attentive")
        gate = tf_keras.Model(net.input, net.get_layer("pool_gate").output)(maps).numpy()[:, :, 0]
        values = maps.reshape(len(maps), FRAMES, -1)
        assert gate.std(axis=1).min() > 0.01, "the gate must tell frames apart for this test to mean something"
        weights = gate / (gate.mean(axis=1, keepdims=True) + GATE_FLOOR) / FRAMES
        mean = (weights * values).sum(axis=1)
        above = (weights * np.maximum(values - mean[:, np.newaxis], 0)).sum(axis=1)
        found_mean, found_above = np.split(flat(net(maps).numpy()), 2, axis=1)
        np.testing.assert_allclose(found_mean, mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found_above, above, rtol=1e-4, atol=1e-5)

    def test_attention_sees_the_whole_recording(self, maps: np.ndarray) -> None:
        net = pooling_net("attentive")
        gate = tf_keras.Model(net.input, net.get_layer("pool_gate").output)
        changed = maps.copy()
        changed[:, FRAMES // 2 :] += 3.0
        first_half = gate(maps).numpy()[:, : FRAMES // 2]
        assert np.abs(gate(changed).numpy()[:, : FRAMES // 2] - first_half).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_order_of_frames_does_not_matter(self, kind: str, maps: np.ndarray) -> None:
        net = pooling_net(kind)
        order = np.random.default_rng(2).permutation(FRAMES)
        np.testing.assert_allclose(net(maps).numpy(), net(maps[:, order]).numpy(), atol=1e-5)

    @pytest.mark.parametrize("freq", [1, FREQ])
    def test_gives_one_vector(self, kind: str, freq: int) -> None:
        numbers = CHANNELS if kind == "mean_time_freq" else freq * CHANNELS
        spread = kind in ("statistics", "deviation", "attentive")
        assert pooling_net(kind, freq=freq).output_shape == (None, 1, 1, 2 * numbers if spread else numbers)

    def test_any_number_of_frames(self, kind: str, maps: np.ndarray) -> None:
        fixed, free = pooling_net(kind), pooling_net(kind, frames=None)
        np.testing.assert_allclose(free(maps).numpy(), fixed(maps).numpy(), atol=1e-6)
        np.testing.assert_allclose(free(np.tile(maps, (1, 3, 1, 1))).numpy(), fixed(maps).numpy(), atol=1e-5)

    def test_survives_a_round_trip_through_its_configuration(self, kind: str, maps: np.ndarray) -> None:
        net = pooling_net(kind)
        again = tf_keras.models.model_from_json(net.to_json())
        again.set_weights(net.get_weights())
        np.testing.assert_array_equal(again(maps).numpy(), net(maps).numpy())

    def test_is_exact_in_int8_and_loses_little(self, kind: str, compare_int8) -> None:
        tf_keras.utils.set_random_seed(4)
        x = tf_keras.Input((100, FREQ, 4))
        y = tf_keras.layers.Conv2D(16, (5, 1), padding="same", use_bias=False)(x)
        y = tf_keras.layers.ReLU()(tf_keras.layers.BatchNormalization()(y))
        y = tf_keras.layers.Conv2D(32, 1)(pool_time(y, kind, name="pool", attention_channels=8))
        result = compare_int8(tf_keras.Model(x, tf_keras.layers.Reshape((32,))(y)))
        np.testing.assert_array_equal(result.tflm, result.litert)
        assert len(np.unique(result.tflm, axis=0)) == len(result.tflm), "the net must tell inputs apart"
        assert result.cosines.min() > 0.98
        assert result.cosines.mean() > 0.99


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'statistics'"):
        pool_time(tf_keras.Input((4, 4, 4)), "statistic", name="pool")
