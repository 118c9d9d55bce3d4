"""Every tensor of a run: which layer differs first between runtimes, and which loses most to int8."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.runtimes.layer_trace import (
    LayerDifference,
    attribute_loss,
    compare_traces,
    decibel,
    first_difference,
    layer_losses,
    signal_to_noise,
    trace_reference,
    trace_tflm,
    trace_values,
)
from edge_sv.tflite.flatbuffer import operators, parse_model, tensor_name
from tests.broken_layers import break_layer
from tests.nets import FEATURES, SEGMENTS, voice_calibration


@pytest.mark.parametrize("layer", ["stem_conv", "stage1_block1_conv2", "stage2_block1_conv1", "embedding"])
def test_the_first_layer_that_differs_on_the_device_is_named(artifact: ModelArtifact, layer: str) -> None:
    rng = np.random.default_rng(11)
    segment = rng.integers(-128, 128, (SEGMENTS.frames, FEATURES.num_mels)).astype(np.int8)
    assert first_difference(artifact.model, artifact.model, segment) is None
    difference = first_difference(artifact.model, break_layer(artifact, layer).model, segment)
    assert difference is not None and difference.layer == layer and difference.different > 0


def test_losses_are_small_where_nothing_is_broken(artifact: ModelArtifact, float_model: bytes) -> None:
    losses = layer_losses(artifact.model, float_model, list(voice_calibration().segments[:2]))
    assert losses[0].layer == "stem_conv" and losses[-1].layer == "embedding_vector"
    assert losses[-1].output_db > 20


@pytest.fixture(scope="module")
def segment() -> np.ndarray:
    return np.random.default_rng(4).integers(-128, 128, (SEGMENTS.frames, FEATURES.num_mels)).astype(np.int8)


def test_both_runtimes_give_every_computed_tensor(artifact: ModelArtifact, segment: np.ndarray) -> None:
    graph = parse_model(artifact.model)
    names = {tensor_name(graph.subgraphs[0].tensors[i]) for op in operators(graph) for i in op.outputs}
    reference, device = trace_reference(artifact.model, segment), trace_tflm(artifact.model, segment)
    assert set(reference) == set(device) > names
    for name, values in reference.items():
        np.testing.assert_array_equal(values.ravel(), device[name].ravel())


def test_a_difference_is_counted_and_measured(artifact: ModelArtifact, segment: np.ndarray) -> None:
    expected = trace_reference(artifact.model, segment)
    got = {name: values.copy() for name, values in expected.items()}
    flat = got["stage1_block1_add"].reshape(-1)
    changed = np.flatnonzero(flat < 100)[:3]
    flat[changed] += np.array([1, 2, 20], np.int8)
    difference = compare_traces(artifact.model, expected, got)
    assert difference == LayerDifference("stage1_block1_add", "ADD", 3, flat.size, 20)
    assert str(difference) == f"3 of {flat.size} values differ, by up to 20 steps"
    assert compare_traces(artifact.model, expected, expected) is None


def test_int8_values_stand_near_the_float_nets(artifact: ModelArtifact, float_model: bytes) -> None:
    features = voice_calibration().segments[0]
    wanted, got = trace_values(float_model, features), trace_values(artifact.model, features)
    ratios = signal_to_noise([(wanted, got)])
    assert ratios["stem_conv"] > 25 and ratios["embedding_vector"] > 20


def test_signal_and_noise_are_summed_over_runs_before_they_are_divided() -> None:
    one, two = np.array([3.0, 4.0]), np.array([0.0, 5.0])
    traces = [({"a": one, "b": one}, {"a": np.array([3.0, 5.0])}), ({"a": two}, {"a": np.array([2.0, 5.0])})]
    assert signal_to_noise(traces) == {"a": pytest.approx(10 * np.log10(50 / 5))}


@pytest.mark.parametrize(
    ("signal", "noise", "wanted"), [(1, 0, 120), (0, 0, 120), (100, 1, 20), (0, 1, -120), (1, 1e30, -120)]
)
def test_decibels_are_limited(signal: float, noise: float, wanted: float) -> None:
    assert decibel(signal, noise) == pytest.approx(wanted)


def test_noise_that_a_later_layer_takes_away_is_not_blamed(artifact: ModelArtifact) -> None:
    graph = parse_model(artifact.model)
    names = [tensor_name(graph.subgraphs[0].tensors[op.outputs[0]]) for op in operators(graph)]
    ratios = {tensor_name(graph.subgraphs[0].tensors[graph.subgraphs[0].inputs[0]]): 60.0, **dict.fromkeys(names, 40.0)}
    ratios["stem_conv"] = 5.0
    losses = {loss.layer: loss for loss in attribute_loss(artifact.model, ratios)}
    assert losses["stem_conv"].lost_db == pytest.approx(20), "what follows has 40 dB again"
    assert all(loss.lost_db == 0 for name, loss in losses.items() if name != "stem_conv")
