"""Errors by layer and by cause, and what rounding does to embeddings, on a small net with random weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")


from edge_sv.analysis.layers import analyze_layers
from edge_sv.artifacts.artifact import load_artifact, save_artifact
from edge_sv.errors import DataError, UsageError
from edge_sv.tflite.flatbuffer import pack_model, parse_model, tensor_data, tensor_name

DAMAGED = "stage2_block1_conv1"


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
    assert analyze_layers(alone, against=net).layers == analyze_layers(net).layers
