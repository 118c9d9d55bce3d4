"""Errors by layer and by cause, and what rounding does to embeddings, on a small net with random weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")

from ai_edge_litert import schema_py_generated as schema

from edge_sv.analysis.float_reference import convert_float, find_reference
from edge_sv.analysis.graphs import as_kernel, from_kernel, read_weights, weight_formats, with_weights
from edge_sv.analysis.layers import analyze_layers
from edge_sv.analysis.rounding import measure_rounding
from edge_sv.artifacts.artifact import load_artifact, save_artifact
from edge_sv.errors import DataError, UsageError
from edge_sv.runtimes.layer_trace import trace_values
from edge_sv.scoring.speech_sample import held_out_sample
from edge_sv.tflite.flatbuffer import pack_model, parse_model, tensor_data, tensor_name, tensor_scale
from tests.corpora import make_corpus
from tests.nets import make_converted_net, make_float_net, voice_calibration

DAMAGED = "stage2_block1_conv1"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_converted_net(tmp_path_factory.mktemp("analysis") / "tiny")


@pytest.fixture(scope="module")
def float_model(net: Path) -> bytes:
    return convert_float(net)


def damage(net: Path, folder: Path) -> Path:
    """Copy a net and its converted form, one layer's weights coarser by a factor of 32."""
    shutil.copytree(net, folder)
    artifact = load_artifact(folder / "static_wi8_ai8")
    graph = parse_model(artifact.model)
    (tensor,) = [t for t in graph.subgraphs[0].tensors if tensor_name(t) == f"{DAMAGED}/weights"]
    codes = tensor_data(graph, tensor)
    assert codes is not None
    coarse = (np.rint(codes / 32) * 32).clip(-127, 127).astype(np.int8)
    graph.buffers[tensor.buffer].data = coarse.view(np.uint8).ravel()
    save_artifact(folder / "static_wi8_ai8", replace(artifact, model=pack_model(graph)))
    return folder


def test_weights_and_activations_are_told_apart(net: Path) -> None:
    analysis = analyze_layers(net)
    assert (analysis.recipe, analysis.against) == ("static_wi8_ai8", str(net.resolve()))
    assert analysis.embedding_cosine > 0.98
    by_name = {layer.layer: layer for layer in analysis.layers}
    assert by_name["stem_conv"].weight_bits == 8
    assert by_name["stage1_block1_add"].weight_db is None
    convolutions = [layer for layer in analysis.layers if layer.weight_db is not None]
    assert {layer.layer for layer in convolutions} >= {"stem_conv", DAMAGED, "embedding"}
    assert all(35 < layer.weight_db < 60 for layer in convolutions)
    for layer in analysis.layers:
        assert layer.weights_db is not None and layer.activations_db is not None
        noise = sum(10 ** (-db / 10) for db in (layer.weights_db, layer.activations_db))
        assert layer.total_db == pytest.approx(-10 * np.log10(noise), abs=3), "the two causes add up"
    assert 1 <= sum(layer.worst for layer in analysis.layers) <= 3
    json.dumps(analysis.to_dict())


def test_a_layer_with_coarse_weights_is_found(net: Path, tmp_path: Path) -> None:
    sound = {layer.layer: layer for layer in analyze_layers(net).layers}
    broken = {layer.layer: layer for layer in analyze_layers(damage(net, tmp_path / "tiny")).layers}
    assert broken[DAMAGED].weight_db < sound[DAMAGED].weight_db - 20
    assert broken[DAMAGED].weights_db < sound[DAMAGED].weights_db - 10
    assert broken[DAMAGED].activations_db > broken[DAMAGED].weights_db + 10, "not the activations' fault"
    assert broken["stage1_block1_add"].weights_db == sound["stage1_block1_add"].weights_db, "nothing before it changes"
    assert broken[DAMAGED].weight_values <= 9 < sound[DAMAGED].weight_values


def test_the_float_net_must_be_there(net: Path, tmp_path: Path) -> None:
    alone = tmp_path / "moved" / "artifact"
    shutil.copytree(net / "static_wi8_ai8", alone)
    with pytest.raises(DataError, match=r"float net .* is not here") as caught:
        analyze_layers(alone)
    assert "--against" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="is a converted model"):
        analyze_layers(alone, against=alone)
    other = make_float_net(tmp_path / "other", seed=2)
    shutil.copytree(net / "static_wi8_ai8", other / "static_wi8_ai8")
    with pytest.raises(DataError, match="is not here"):
        find_reference(other, load_artifact(other / "static_wi8_ai8"))


def test_weights_that_are_put_back_change_nothing(float_model: bytes) -> None:
    segment = voice_calibration().segments[0]
    wanted = trace_values(float_model, segment)
    weights = read_weights(float_model)
    same = trace_values(with_weights(float_model, weights), segment)
    assert all(np.array_equal(wanted[name], same[name]) for name in wanted)
    other = trace_values(with_weights(float_model, {DAMAGED: 0 * weights[DAMAGED]}), segment)
    assert np.array_equal(wanted["stem_conv"], other["stem_conv"])
    assert not np.array_equal(wanted["embedding"], other["embedding"])


@pytest.mark.parametrize("shape", [(8, 3, 3, 4), (1, 3, 3, 8), (8, 5), (1, 3, 3, 1)])
def test_layouts_of_weights_turn_and_turn_back(shape: tuple[int, ...]) -> None:
    weights = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    kernel = as_kernel(weights)
    assert kernel.shape[-1] == max(shape[0], shape[3] if len(shape) == 4 and shape[0] == 1 else 0)
    assert np.array_equal(from_kernel(kernel, weights), weights)


def test_int4_weights_are_read(net: Path) -> None:
    from edge_sv_converters.palettes import _pack_int4

    graph = parse_model(load_artifact(net / "static_wi8_ai8").model)
    (tensor,) = [t for t in graph.subgraphs[0].tensors if tensor_name(t) == "embedding/weights"]
    codes = tensor_data(graph, tensor)
    assert codes is not None
    few = (codes // 16).astype(np.int8)
    graph.buffers[tensor.buffer].data = _pack_int4(few)
    tensor.type = schema.TensorType.INT4
    model = pack_model(graph)
    grid = tensor_scale(tensor)
    assert grid is not None
    scales = grid[0].reshape(-1, *[1] * (few.ndim - 1))
    np.testing.assert_allclose(read_weights(model)["embedding"], few * scales, rtol=1e-6)
    assert weight_formats(model)["embedding"] == (4, len(np.unique(few)))


def test_fewer_bits_change_the_embeddings_more(net: Path) -> None:
    seen: list[tuple[int, int]] = []
    analysis = measure_rounding(net, progress=lambda done, total: seen.append((done, total)))
    found = {(effect.quantizer, effect.bits): effect for effect in analysis.effects}
    ratios = [found["kmeans", bits].embedding_db for bits in (2, 3, 4, 8)]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 20 and found["kmeans", 8].cosine > 0.999
    assert all(layer.embedding_db > ratios[0] for layer in analysis.layers), "one layer alone hurts less than all"
    assert seen[-1] == (len(analysis.effects) + len(analysis.layers),) * 2


def test_speech_of_a_table_is_what_was_not_trained_on(tmp_path: Path) -> None:
    speech = held_out_sample(make_corpus(tmp_path / "corpus") / "index.csv", count=16)
    assert speech.files and all(path.parent.name in ("s4", "s5", "s6") for (path,) in speech.files.values())
