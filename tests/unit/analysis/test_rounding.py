"""What rounding a float net's weights does to its embeddings, on a small net with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")

from edge_sv.analysis.rounding import RoundingAnalysis, measure_rounding
from edge_sv.analysis.weights import BITS, QUANTIZERS
from edge_sv.artifacts.net import read_net
from edge_sv.errors import UsageError
from edge_sv.frontend.segments import normalize_length
from edge_sv.models.checkpoint import load_net
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import METHODS, make_grid
from edge_sv.runtimes.layer_trace import trace_values
from edge_sv.scoring.speech_sample import ANALYSIS_RECORDINGS, held_out_sample
from edge_sv.tflite.flatbuffer import WEIGHTED, operators, parse_model, tensor_data, tensor_name
from tests.nets import make_float_net


@pytest.fixture(scope="module")
def seen() -> list[tuple[int, int]]:
    """The progress that the analysis told."""
    return []


@pytest.fixture(scope="module")
def analysis(net: Path, seen: list[tuple[int, int]]) -> RoundingAnalysis:
    return measure_rounding(net, progress=lambda done, total: seen.append((done, total)))


def test_fewer_bits_change_the_embeddings_more(analysis: RoundingAnalysis) -> None:
    found = {(effect.quantizer, effect.bits): effect for effect in analysis.effects}
    ratios = [found["kmeans", bits].embedding_db for bits in (2, 3, 4, 8)]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 20 and found["kmeans", 8].cosine > 0.999
    assert all(layer.embedding_db > ratios[0] for layer in analysis.layers), "one layer alone hurts less than all"


def test_every_quantizer_and_every_layer_is_tried_and_counted(
    analysis: RoundingAnalysis, seen: list[tuple[int, int]], net: Path
) -> None:
    wanted = [(name, bits) for name in QUANTIZERS for bits in BITS if bits in METHODS[name].bits]
    assert [(effect.quantizer, effect.bits) for effect in analysis.effects] == wanted
    layers = [layer.name for layer in load_net(net)[0].layers if hasattr(layer, "kernel")]
    assert sorted(layer.layer for layer in analysis.layers) == sorted(layers)
    total = len(analysis.effects) + len(analysis.layers)
    assert seen == [(done, total) for done in range(1, total + 1)]
    assert json.loads(json.dumps(analysis.to_dict()))["segments"] == analysis.segments > 8


def test_the_last_layer_s_effect_is_that_of_its_rounded_matrix(
    analysis: RoundingAnalysis, net: Path, float_model: bytes
) -> None:
    """Computed from what goes into the layer, without running the rounded net."""
    front_end = read_net(net)
    speech = held_out_sample(None, count=ANALYSIS_RECORDINGS)
    segments = speech.first_segments(front_end.features, front_end.segments, count=analysis.segments)
    tree = parse_model(float_model)
    (layer,) = [each for each in operators(tree) if each.kind in WEIGHTED][-1:]
    before, weights, bias = (tree.subgraphs[0].tensors[index] for index in layer.inputs)
    assert tensor_name(weights) == "embedding/weights"
    inputs = np.stack([trace_values(float_model, segment)[tensor_name(before)].ravel() for segment in segments])
    matrix, shift = tensor_data(tree, weights).reshape(-1, inputs.shape[1]), tensor_data(tree, bias)
    kernel = matrix.T[np.newaxis, np.newaxis]
    rounded = quantize(kernel, make_grid("kmeans", kernel, 2)).weights()[0, 0].T
    wanted, got = (normalize_length(inputs @ values.T + shift) for values in (matrix, rounded))
    ratio = np.sum((wanted - wanted.mean(axis=0)) ** 2) / np.sum((wanted - got) ** 2)
    (alone,) = [each.embedding_db for each in analysis.layers if each.layer == "embedding"]
    assert alone == pytest.approx(10 * np.log10(ratio), abs=0.01)


def test_a_converted_model_is_refused(net: Path) -> None:
    with pytest.raises(UsageError, match="a converted model"):
        measure_rounding(net / "static_wi8_ai8")


def test_another_net_has_other_figures(analysis: RoundingAnalysis, tmp_path: Path) -> None:
    other = measure_rounding(make_float_net(tmp_path / "other", seed=2))
    assert [effect.embedding_db for effect in other.effects] != [effect.embedding_db for effect in analysis.effects]
