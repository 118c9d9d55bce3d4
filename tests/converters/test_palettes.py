"""Compressed weights in the flatbuffer: the learned codes themselves, in a model that computes what the net does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import KerasEmbedder, LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.plugins.converter import find_converter
from edge_sv.recipes.reading import load_recipe
from edge_sv.tflite.flatbuffer import operators, parse_model, schema, tensor_data, tensor_name, tensor_scale
from tests.nets import convert, make_float_net, voice_calibration, voices

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
from edge_sv.audio.recording import read_recording
from edge_sv.compress.straight_through import straight_through_method
from edge_sv.models.checkpoint import load_net, save_net

RECIPES = [
    "static_wi4_ai8",
    "power_w4_ai8",
    "palette_w4_ai8",
    "palette_w2_ai8",
    "binary_w1_ai8",
    "binary_static_w1_ai8",
]


def compress(net: Path, recipe: str, out: Path, *, turned: bool = False) -> Path:
    """Round a net's weights by a recipe, without training; `turned`: half of the batch norms' factors are negative."""
    model, description = load_net(net)
    for layer in model.layers if turned else []:
        if layer.name.endswith("_bn"):
            gamma, *others = layer.get_weights()
            layer.set_weights([np.where(np.arange(len(gamma)) % 2, gamma, -gamma), *others])
    save_net(out, description, model, straight_through_method(model, load_recipe(recipe)).apply(model))
    return out


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("float"))


@pytest.fixture(scope="module", params=RECIPES)
def compressed(request: pytest.FixtureRequest, float_net: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(float_net, request.param, tmp_path_factory.mktemp("nets") / request.param)


@pytest.fixture(scope="module")
def artifact(compressed: Path) -> ModelArtifact:
    return find_converter("tflite").convert(compressed, load_recipe(compressed.name), voice_calibration())


def stored_codes(artifact: ModelArtifact) -> dict[str, np.ndarray]:
    """Return layer -> (out, ...) integers of every convolution's weights, int4 unpacked."""
    graph = parse_model(artifact.model)
    codes = {}
    for operator in operators(graph):
        if operator.kind != "CONV_2D":
            continue
        tensor = graph.subgraphs[0].tensors[operator.inputs[1]]
        data = tensor_data(graph, tensor)
        if tensor.type == schema.TensorType.INT4:
            nibbles = np.stack([data & 0xF, data >> 4], axis=-1).ravel()[: int(np.prod(tensor.shape))]
            data = np.where(nibbles > 7, nibbles.astype(int) - 16, nibbles).reshape(tensor.shape)
        codes[tensor_name(tensor).removesuffix("/weights")] = data
    return codes


def test_layers_hold_no_more_values_than_their_bits_allow(artifact: ModelArtifact) -> None:
    codes = stored_codes(artifact)
    rules = load_recipe(artifact.recipe).assign(codes)
    assert len(rules) >= 5
    for layer, rule in rules.items():
        assert len(np.unique(codes[layer])) <= 2**rule.weights, layer


def test_what_fits_int4_is_packed(artifact: ModelArtifact) -> None:
    graph = parse_model(artifact.model)
    types = {tensor.type for tensor in graph.subgraphs[0].tensors}
    packed = artifact.recipe in ("static_wi4_ai8", "binary_static_w1_ai8")
    assert (schema.TensorType.INT4 in types) == packed


def test_tflm_equals_the_reference_kernels_and_follows_the_net(compressed: Path, artifact: ModelArtifact) -> None:
    reference, device = LiteRTEmbedder(artifact, reference_kernels=True), TflmEmbedder(artifact)
    keras = KerasEmbedder(compressed)
    for path in voices()[:3]:
        pcm = read_recording(path, sample_rate=16000)
        np.testing.assert_array_equal(reference.embed(pcm), device.embed(pcm))
        assert reference.embed(pcm) @ keras.embed(pcm) > 0.97


def test_batch_norms_that_turn_the_sign(float_net: Path, tmp_path: Path) -> None:
    net = compress(float_net, "palette_w2_ai8", tmp_path / "turned", turned=True)
    artifact = find_converter("tflite").convert(net, load_recipe("palette_w2_ai8"), voice_calibration())
    codes = stored_codes(artifact)
    rules = load_recipe(artifact.recipe).assign(codes)
    assert len(rules) >= 5
    for layer, rule in rules.items():
        assert all(len(np.unique(channel)) <= 2**rule.weights for channel in codes[layer])
    pcm = read_recording(voices()[0], sample_rate=16000)
    assert LiteRTEmbedder(artifact, reference_kernels=True).embed(pcm) @ KerasEmbedder(net).embed(pcm) > 0.97


def test_scales_are_positive(artifact: ModelArtifact) -> None:
    found = [tensor_scale(tensor) for tensor in parse_model(artifact.model).subgraphs[0].tensors]
    scales = [scale for scale, _ in filter(None, found)]
    assert len(scales) > len(stored_codes(artifact)) and all((scale > 0).all() for scale in scales)


def test_a_net_and_a_recipe_that_do_not_fit(float_net: Path, compressed: Path) -> None:
    converter = find_converter("tflite")
    with pytest.raises(UsageError, match="does not fit"):
        converter.convert(float_net, load_recipe("palette_w4_ai8"), voice_calibration())
    with pytest.raises(UsageError, match="does not fit"):
        converter.convert(compressed, load_recipe("static_wi8_ai8"), voice_calibration())


def test_a_net_that_was_changed_after_compression(compressed: Path, tmp_path: Path) -> None:
    """Weights beside the palettes that say something else are found at loading."""
    model, description = load_net(compressed)
    save_net(tmp_path, description, model)
    (tmp_path / "palettes.npz").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(DataError, match="damaged"):
        load_net(tmp_path)


def test_a_smaller_file(float_net: Path, artifact: ModelArtifact) -> None:
    plain = convert(float_net)
    if artifact.recipe == "static_wi4_ai8":
        assert len(artifact.model) < 0.8 * len(plain.model)
    else:
        assert len(artifact.model) <= len(plain.model)
