"""A run's own net and others, weight by weight."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from edge_sv.errors import UsageError
from edge_sv.training.average import make_average


@pytest.fixture
def model() -> tf_keras.Model:
    return tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,))])


def weights(value: float) -> list[np.ndarray]:
    return [np.full((3, 2), value, np.float32), np.full(2, -value, np.float32)]


def test_shares_add_up_to_one(model: tf_keras.Model) -> None:
    average = make_average(model, {"a": 0.25, "b": 0.5}, {"a": weights(4), "b": weights(2), "unused": weights(100)})
    kernel, bias = average.of(weights(8))
    np.testing.assert_allclose(kernel, np.full((3, 2), 0.25 * 4 + 0.5 * 2 + 0.25 * 8))
    np.testing.assert_allclose(bias, np.full(2, -4))


def test_without_others_nothing_changes(model: tf_keras.Model) -> None:
    own = weights(3)
    for mine, averaged in zip(own, make_average(model, {}, {"start": weights(1)}).of(own), strict=True):
        np.testing.assert_array_equal(mine, averaged)


def test_another_net_is_refused(model: tf_keras.Model) -> None:
    with pytest.raises(UsageError, match="cannot average with 'x'") as caught:
        make_average(model, {"x": 0.5}, {"x": [np.zeros((4, 2)), np.zeros(2)]})
    assert caught.value.details["got"] == "(4, 2), wanted (3, 2)"
    with pytest.raises(UsageError, match="another net") as caught:
        make_average(model, {"x": 0.5}, {"x": weights(1)[:1]})
    assert caught.value.details["got"] == "1 weights"
