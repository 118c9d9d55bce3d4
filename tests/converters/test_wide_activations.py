"""Nets with 16-bit activations: int8 at the ends, int16 between, nearer to the float net than with 8 bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
from edge_sv_converters.wide_activations import make_io_int8

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.models.checkpoint import NetDescription, load_net, net_config, save_net
from edge_sv.package.bit_widths import check_widths
from edge_sv.package.target import load_target
from edge_sv.plugins.converter import find_converter
from edge_sv.recipes.reading import load_recipe
from edge_sv.tflite.flatbuffer import operators, parse_model, schema
from tests.families import FAMILIES, build_tiny
from tests.nets import FEATURES, SEGMENTS, voice_calibration

CALIBRATION = voice_calibration()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets") / "xvector"
    model = build_tiny("xvector", frames=SEGMENTS.frames, num_mels=FEATURES.num_mels)
    config = net_config("xvector", dict(FAMILIES["xvector"]))
    save_net(folder, NetDescription("tiny", "xvector", config, FEATURES, SEGMENTS), model)
    return folder


@pytest.fixture(scope="module")
def artifact(net: Path) -> ModelArtifact:
    return find_converter("tflite").convert(net, load_recipe("static_wi8_ai16"), CALIBRATION)


def embed(artifact: ModelArtifact) -> np.ndarray:
    embedder = LiteRTEmbedder(artifact, reference_kernels=True)
    rows = [embedder.invoke(embedder.input.quantize(segment)) for segment in CALIBRATION.segments[:16]]
    return embedder.output.dequantize(np.stack(rows))


def test_ends_are_int8_and_all_between_is_int16(artifact: ModelArtifact) -> None:
    graph = parse_model(artifact.model)
    tensors, found = graph.subgraphs[0].tensors, operators(graph)
    assert [found[0].kind, found[-1].kind] == ["QUANTIZE", "QUANTIZE"]
    assert {tensors[op.outputs[0]].type for op in found[:-1]} == {schema.TensorType.INT16}
    narrow = LiteRTEmbedder(artifact)
    assert narrow.input.scale == pytest.approx(2 * FEATURES.clip / 255)
    assert tensors[found[-1].outputs[0]].type == schema.TensorType.INT8


def test_it_is_nearer_to_the_float_net_than_8_bits(net: Path, artifact: ModelArtifact) -> None:
    model, _ = load_net(net)
    wanted = model(CALIBRATION.segments[:16, ..., np.newaxis]).numpy()
    narrow = find_converter("tflite").convert(net, load_recipe("static_wi8_ai8"), CALIBRATION)
    errors = [np.square(embed(one) - wanted).sum() for one in (artifact, narrow)]
    assert errors[0] < 0.9 * errors[1], "both have 8-bit weights and ends"
    assert errors[0] < 2e-3 * np.square(wanted).sum()


def test_tflm_computes_the_same_where_it_has_the_operators(artifact: ModelArtifact) -> None:
    reference, device = LiteRTEmbedder(artifact, reference_kernels=True), TflmEmbedder(artifact)
    for segment in CALIBRATION.segments[:8]:
        given = reference.input.quantize(segment)
        np.testing.assert_array_equal(reference.invoke(given), device.invoke(given))


def test_targets_without_kernels_refuse_it() -> None:
    with pytest.raises(UsageError, match="16-bit activations; target 'cortex-m'"):
        check_widths(load_recipe("static_wi8_ai16"), load_target("cortex-m"))
    check_widths(load_recipe("static_wi8_ai16"), load_target("tflite"))


def test_a_graph_that_is_quantized_already_is_refused(net: Path) -> None:
    narrow = find_converter("tflite").convert(net, load_recipe("static_wi8_ai8"), CALIBRATION)
    with pytest.raises(DataError, match="begin and end"):
        make_io_int8(parse_model(narrow.model), clip=FEATURES.clip)


def test_a_louder_front_end_has_a_wider_scale(net: Path, tmp_path: Path) -> None:
    model, description = load_net(net)
    wider = replace(description, features=replace(description.features, clip=10.0))
    save_net(tmp_path, wider, model)
    artifact = find_converter("tflite").convert(tmp_path, load_recipe("static_wi8_ai16"), CALIBRATION)
    assert LiteRTEmbedder(artifact).input.scale == pytest.approx(20 / 255)
