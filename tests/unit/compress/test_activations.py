"""Which activations become integer tensors, and which share a range."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from edge_sv.compress.activations import plan_activations
from edge_sv.compress.quantization_aware import expand_layers
from edge_sv.errors import UsageError
from tests.families import FAMILIES, build_tiny


def test_what_folds_is_rounded_once_and_what_moves_shares_a_range() -> None:
    plan = plan_activations(expand_layers(build_tiny("ecapa_tdnn")))
    assert {"stem_conv", "stem_conv_bn", "pool_context_above_centre"} & plan.rounded.keys() == set()
    assert {"stem_conv_relu", "pool_context_above", "pool_attention_frame_bn", "embedding"} <= plan.rounded.keys()
    assert plan.rounded["block1_res2net_conv2_relu"] == plan.rounded["block1_conv1_relu"]
    assert plan.rounded["block1_res2net_add3"] != plan.rounded["block1_conv1_relu"]
    assert plan.rounded["pool_gate_rsqrt_shift"] != plan.rounded["pool_gate_rsqrt"]
    assert plan.fixed == {
        "block1_se_gate": (0, 255 / 256),
        "block2_se_gate": (0, 255 / 256),
        "pool_attention_tanh": (-1, 127 / 128),
        "pool_gate": (0, 255 / 256),
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plan_is_of_the_layers_there_are_and_ranges_are_led_by_their_first(family: str) -> None:
    model = expand_layers(build_tiny(family))
    plan = plan_activations(model)
    names = [layer.name for layer in model.layers]
    assert set(plan.rounded) | set(plan.fixed) <= set(names) and not set(plan.rounded) & set(plan.fixed)
    for name, leader in plan.rounded.items():
        assert plan.rounded[leader] == leader and names.index(leader) <= names.index(name)
    assert "embedding" in plan.rounded, "what comes out is an integer tensor"


def test_what_two_read_does_not_fold() -> None:
    features = tf_keras.Input((8, 4, 1), name="features")
    conv = layers.Conv2D(2, 3, padding="same", name="conv")(features)
    relu = layers.ReLU(name="relu")(conv)
    both = tf_keras.Model(features, layers.Add(name="sum")([conv, relu]))
    assert list(plan_activations(both).rounded) == ["conv", "relu", "sum"]
    alone = tf_keras.Model(features, relu)
    assert list(plan_activations(alone).rounded) == ["relu"]


def _leaky(x: object) -> object:
    return layers.LeakyReLU(name="leak")(x)


def _softmax(x: object) -> object:
    return layers.Activation("softmax", name="soft")(x)


@pytest.mark.parametrize(("last", "name", "got"), [(_leaky, "leak", "LeakyReLU"), (_softmax, "soft", "softmax")])
def test_layers_that_cannot_be_rounded_are_named(last: object, name: str, got: str) -> None:
    features = tf_keras.Input((8, 4, 1))
    model = tf_keras.Model(features, last(layers.Conv2D(2, 3, name="conv")(features)))
    with pytest.raises(UsageError, match=f"layer '{name}' cannot be trained with rounded activations") as caught:
        plan_activations(expand_layers(model))
    assert got in caught.value.details["got"] and "Conv2D" in caught.value.details["known"]


def test_a_layer_that_is_used_twice_is_refused() -> None:
    features = tf_keras.Input((8, 4, 1))
    twice = layers.Conv2D(1, 3, padding="same", name="twice")
    model = tf_keras.Model(features, twice(twice(features)))
    assert np.shape(model(np.zeros((1, 8, 4, 1), np.float32))) == (1, 8, 4, 1)
    with pytest.raises(UsageError, match="layer 'twice' is used 2 times"):
        plan_activations(model)
