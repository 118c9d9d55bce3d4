"""Weight clustering: TFMOT's centroids and gradients, then rounding that no cluster is split by, down to the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.palette import load_palettes
from edge_sv.embedders import KerasEmbedder, LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import UsageError
from edge_sv.plugins.converter import find_converter
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.recipes.reading import load_recipe, parse_recipe
from edge_sv.recipes.recipe import CompressionRecipe, LayerRule
from edge_sv.tflite.flatbuffer import operators, parse_model, tensor_data, tensor_name
from tests.nets import make_float_net, voice_calibration, voices

pytest.importorskip("tensorflow_model_optimization", reason="pip install 'edge-sv[train]'")
import tensorflow as tf
import tf_keras

from edge_sv.audio.recording import read_recording
from edge_sv.compress.cluster import CENTROIDS, ClusteredKernel, Phase, cluster_method, first_centroids
from edge_sv.compress.fake_quant import KernelRange
from edge_sv.compress.method import save_compressed
from edge_sv.models.checkpoint import load_net

RULES = (LayerRule("*", 4, "cluster", clusters=12), LayerRule("stem*", 8))
RECIPE = CompressionRecipe("cluster_w4_ai8", "a test", RULES)
KERNEL = (np.random.default_rng(1).normal(size=(3, 3, 4, 8)) * 0.1).astype(np.float32)


def crops(count: int = 16) -> np.ndarray:
    return voice_calibration().segments[:count, :, :, np.newaxis]


def test_centroids_begin_as_weights_that_k_means_plus_plus_draws() -> None:
    centroids = first_centroids(KERNEL, 12)
    assert len(np.unique(centroids)) == 12 and set(centroids) <= set(KERNEL.ravel())
    np.testing.assert_array_equal(first_centroids(KERNEL, 12), centroids)
    spread = np.quantile(KERNEL, [0.05, 0.95])
    assert centroids.min() < spread[0] and centroids.max() > spread[1]


def test_a_kernel_of_few_values_keeps_them() -> None:
    assert first_centroids(np.sign(KERNEL), 12).tolist() == [-1, 1]


@pytest.fixture
def quantizer() -> tuple[ClusteredKernel, tf.Variable]:
    kernel = ClusteredKernel(4, first_centroids(KERNEL, 12), Phase())
    return kernel, tf.Variable(kernel.start)


def test_gradients_go_to_the_centroids_in_sum_and_to_the_weights_as_they_are(
    quantizer: tuple[ClusteredKernel, tf.Variable],
) -> None:
    kernel, centroids = quantizer
    own, wanted = tf.Variable(KERNEL), np.random.default_rng(2).normal(size=KERNEL.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        used = kernel(own, True, {CENTROIDS: centroids})
        loss = tf.reduce_sum(used * wanted)
    to_centroids, to_weights = tape.gradient(loss, [centroids, own])
    clusters = np.abs(KERNEL[..., np.newaxis] - kernel.start).argmin(-1)
    np.testing.assert_array_equal(used, kernel.start[clusters])
    np.testing.assert_allclose(to_weights, wanted, rtol=1e-6)
    sums = [wanted[clusters == k].sum() for k in range(12)]
    np.testing.assert_allclose(tf.convert_to_tensor(to_centroids), sums, rtol=1e-4, atol=1e-5)


def test_what_is_trained_in_the_second_half_is_the_palette(quantizer: tuple[ClusteredKernel, tf.Variable]) -> None:
    kernel, centroids = quantizer
    kernel.phase.rounds = True
    palette = kernel.palette(KERNEL, {CENTROIDS: centroids.numpy()})
    assert palette.codebook.shape == (12,) and np.abs(palette.codebook.astype(int)).max() == 127
    used = kernel(tf.Variable(KERNEL), True, {CENTROIDS: centroids}).numpy()
    np.testing.assert_allclose(palette.weights(), used, atol=1e-7)
    assert len(np.unique(palette.codes)) == 12


def nearest(kernel: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    return centroids[np.abs(kernel[..., np.newaxis] - centroids).argmin(-1)]


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("nets") / "tiny")


def test_activations_are_rounded_in_the_second_half_alone(float_net: Path) -> None:
    model, _ = load_net(float_net)
    form = cluster_method(model, RECIPE, 4)
    net = form.trainable(model, crops)
    outputs, changes = [], []
    for epoch in range(4):
        changes.append(form.begin_epoch(epoch))
        outputs.append(net(crops(4), training=False).numpy())
    assert changes == [False, False, True, False]
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Conv2D):
            kernel = layer.kernel.numpy()
            is_stem = layer.name.startswith("stem")
            layer.kernel.assign(
                KernelRange.of(layer, 8).rounded(kernel) if is_stem else nearest(kernel, first_centroids(kernel, 12))
            )
    plain = model(crops(4), training=False).numpy()
    np.testing.assert_allclose(outputs[1], plain, rtol=1e-3, atol=1e-4)
    assert 1e-3 * np.abs(plain).max() < np.abs(outputs[2] - plain).max() < 0.3 * np.abs(plain).max()


def step(net: Any, target: Any) -> float:
    """Move every weight down its gradient, a little."""
    with tf.GradientTape() as tape:
        got = tf.math.l2_normalize(net(crops(8), training=True), -1)
        loss = 1 - tf.reduce_mean(tf.reduce_sum(got * target, -1))
    weights = net.trainable_variables
    gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.assign_sub(0.02 * tf.convert_to_tensor(gradient))
    return float(loss)


@pytest.fixture(scope="module")
def trained(float_net: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The net's folder after two epochs of three steps; the loss falls in both halves."""
    model, description = load_net(float_net)
    target = tf.math.l2_normalize(model(crops(8), training=False), -1)
    form = cluster_method(model, RECIPE, 2)
    net = form.trainable(model, crops)
    folder = tmp_path_factory.mktemp("compressed") / RECIPE.name
    for epoch in range(2):
        form.begin_epoch(epoch)
        losses = [step(net, target) for _ in range(3)]
        assert losses[-1] < losses[0]
        extras = form.finish(model, net.get_weights())
        assert extras.figures == {"complete": float(epoch)}
    save_compressed(folder, description, model, extras)
    return folder


@pytest.fixture(scope="module")
def artifact(trained: Path) -> ModelArtifact:
    return find_converter("tflite").convert(trained, RECIPE, voice_calibration())


def test_clusters_have_moved(trained: Path, float_net: Path) -> None:
    model, _ = load_net(float_net)
    for name, palette in load_palettes(trained).items():
        if not name.startswith("stem"):
            start = first_centroids(model.get_layer(name).kernel.numpy(), 12)
            values = np.unique(palette.weights()[..., 0])
            assert 2 <= len(values) <= 12 and np.abs(values[:, None] - start).min(1).max() > 1e-5


def stored(model: bytes) -> dict[str, np.ndarray]:
    """Return layer -> (out, ...) int8 weights as the file has them."""
    graph = parse_model(model)
    tensors = [graph.subgraphs[0].tensors[op.inputs[1]] for op in operators(graph) if op.kind == "CONV_2D"]
    return {tensor_name(tensor).removesuffix("/weights"): tensor_data(graph, tensor) for tensor in tensors}


def test_clusters_are_still_there_in_the_flatbuffer(artifact: ModelArtifact) -> None:
    weights = stored(artifact.model)
    clustered = RECIPE.assign(weights)
    assert len(clustered) == len(weights) - 1 >= 4
    for layer in clustered:
        assert weights[layer].dtype == np.int8
        assert max(len(np.unique(channel)) for channel in weights[layer]) <= 12, layer
        assert 2 < len(np.unique(weights[layer])) <= 12, layer
    assert len(np.unique(weights["stem_conv"])) > 12


def test_the_converted_net_computes_what_was_trained(artifact: ModelArtifact, trained: Path) -> None:
    reference, device, keras = (
        LiteRTEmbedder(artifact, reference_kernels=True),
        TflmEmbedder(artifact),
        KerasEmbedder(trained),
    )
    for path in voices()[:2]:
        pcm = read_recording(path, sample_rate=16000)
        np.testing.assert_array_equal(reference.embed(pcm), device.embed(pcm))
        assert reference.embed(pcm) @ keras.embed(pcm) > 0.97


def test_clusters_become_lookup_tables(artifact: ModelArtifact) -> None:
    lookup = compress_tables(artifact.model)
    assert (
        lookup is not None
        and {use.bits for use in lookup.tables} == {4}
        and {use.tables for use in lookup.tables} == {1}
    )
    plain, compact = TflmEmbedder(artifact), TflmEmbedder(replace(artifact, model=lookup.model))
    segments = np.stack(voice_calibration().segments[:2])
    np.testing.assert_array_equal(plain.run(segments), compact.run(segments))


def test_a_depthwise_layer_keeps_its_eight_bits() -> None:
    inputs = tf_keras.layers.Input((8, 8, 3))
    wide = tf_keras.layers.Conv2D(4, 3, name="wide")(inputs)
    net = tf_keras.Model(inputs, tf_keras.layers.DepthwiseConv2D(3, name="deep")(wide))
    form = cluster_method(net, replace(RECIPE, rules=(LayerRule("*", 4, "cluster"),)), 1)
    trained = form.trainable(net, lambda: np.zeros((2, 8, 8, 3), np.float32)).get_weights()
    palettes = form.finish(tf_keras.models.clone_model(net), trained).palettes
    assert len(palettes["wide"].codebook) <= 16
    assert "deep" not in palettes


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"weights": 4, "quantizer": "cluster", "clusters": 17}, "do not tell 17 clusters apart"),
        ({"weights": 4, "quantizer": "cluster", "clusters": 1}, "is not a recipe"),
        ({"weights": 4, "quantizer": "kmeans", "clusters": 8}, "names clusters"),
        ({"weights": 8, "clusters": 8}, "names clusters"),
    ],
)
def test_rules_that_are_refused(rule: dict[str, object], message: str) -> None:
    values = {"name": "x", "description": "x", "rules": [{"match": "*", **rule}], "fine_tuning": {}}
    with pytest.raises(UsageError, match=message):
        parse_recipe(values, source="x.toml")


def test_clusters_and_palettes_in_one_recipe_are_refused() -> None:
    rules = [{"match": "*", "weights": 4, "quantizer": "cluster"}, {"match": "a", "weights": 4, "quantizer": "kmeans"}]
    with pytest.raises(UsageError, match="mixes quantizers"):
        parse_recipe({"name": "x", "description": "x", "rules": rules, "fine_tuning": {}}, source="x.toml")


@pytest.mark.parametrize(("name", "clusters"), [("cluster_w4_ai8", 16), ("cluster_w3_ai8", 8)])
def test_bundled_recipes(name: str, clusters: int) -> None:
    first, *others = load_recipe(name).rules
    assert (first.quantizer, first.clusters, first.weights) == ("cluster", clusters, (clusters - 1).bit_length())
    assert all(rule.quantizer == "cluster" and rule.weights > first.weights for rule in others)
