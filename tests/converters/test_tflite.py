"""The tflite converter: every net preset, for every target, equals TensorFlow Lite Micro bit for bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.package import read_package, write_package
from edge_sv.package.target import list_targets
from edge_sv.plugins.converter import Calibration, find_converter
from edge_sv.recipes.reading import load_recipe
from edge_sv.tflite.flatbuffer import (
    BUFFER_ALIGNMENT,
    operators,
    pack_model,
    parse_model,
    schema,
    tensor_data,
    tensor_name,
    tensor_scale,
)
from tests.nets import FEATURES, SEGMENTS, convert, make_float_net, voice_calibration

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
from edge_sv.models.checkpoint import build_net, save_net
from edge_sv.models.presets import PRESETS, describe_preset

LARGE = {"resnet18", "resnet34", "ecapa-512", "df-resnet56", "xvector", "redimnet-b0"}
NETS = [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in PRESETS]
EXACT_SEGMENTS = 3
FRAMES = {"resnet34": 64, "resnet18": 64, "df-resnet56": 64, "redimnet-b0": 64}
"""Frames of nets whose reference kernels take seconds for 200; the graph is the same."""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_float_net(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="module")
def artifact(net: Path) -> ModelArtifact:
    return convert(net)


def seeded_calibration(features: FeatureConfig, segments: SegmentRule) -> Calibration:
    """Random frames that change slowly over time and bands, as log-mels do."""
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(32, segments.frames, features.num_mels)).astype(np.float32)
    smooth = noise + np.roll(noise, 1, axis=1) + np.roll(noise, 1, axis=2)
    return Calibration(np.clip(2 * smooth, -features.clip, features.clip), "seeded noise")


@pytest.fixture(scope="module", params=NETS)
def preset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelArtifact]:
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    described = describe_preset(request.param)
    rule = SegmentRule(frames=FRAMES.get(request.param, described.segments.frames))
    description = dataclasses.replace(described, segments=rule)
    folder = tmp_path_factory.mktemp("preset") / request.param
    save_net(folder, description, build_net(description))
    calibration = seeded_calibration(description.features, rule)
    yield find_converter("tflite").convert(folder, load_recipe("static_wi8_ai8"), calibration)
    tf_keras.backend.clear_session()


@pytest.mark.conversion
def test_every_preset_equals_tflm_for_every_target(preset: ModelArtifact, tmp_path: Path) -> None:
    """A package's model, as each target carries it, computes in TFLM what the reference kernels compute."""
    rng = np.random.default_rng(6)
    reference = LiteRTEmbedder(preset, reference_kernels=True)
    shape = (preset.segments.frames, preset.features.num_mels)
    segments = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(EXACT_SEGMENTS)]
    expected = [reference.invoke(segment) for segment in segments]
    assert len({e.tobytes() for e in expected}) == EXACT_SEGMENTS, "the output depends on the input"
    targets = [target for target in list_targets() if target.converter == "tflite"]
    assert {"tflite", "tflite-micro", "cortex-m"} <= {target.name for target in targets}
    for target in targets:
        target = dataclasses.replace(target, flash_bytes=None, ram_bytes=None)
        write_package(preset, target, tmp_path / target.name)
        packaged = read_package(tmp_path / target.name).artifact
        device = TflmEmbedder(packaged, arena_bytes=64 << 20)
        for segment, wanted in zip(segments, expected, strict=True):
            np.testing.assert_array_equal(device.invoke(segment), wanted)


@pytest.mark.conversion
def test_every_preset_is_int8_from_end_to_end(preset: ModelArtifact) -> None:
    graph = parse_model(preset.model)
    kinds = {t.type for t in graph.subgraphs[0].tensors}
    assert kinds <= {schema.TensorType.INT8, schema.TensorType.INT32}
    assert all(layer.weight_bits in (0, 8) for layer in preset.layers)
    assert sum(layer.macs for layer in preset.layers) > 1e6


def test_input_is_the_exact_range_of_the_front_end(artifact: ModelArtifact) -> None:
    first = parse_model(artifact.model).subgraphs[0].tensors[0]
    scale, zero_point = tensor_scale(first)
    assert tensor_name(first) == "features"
    assert scale[0] == pytest.approx(2 * FEATURES.clip / 255, rel=1e-6) and zero_point[0] in (-1, 0)


def test_same_inputs_same_bytes(net: Path, artifact: ModelArtifact) -> None:
    again = convert(net)
    assert again.model == artifact.model and again.provenance == artifact.provenance


def test_other_calibration_other_bytes(net: Path, artifact: ModelArtifact) -> None:
    half = Calibration(voice_calibration().segments * 0.5, "quiet voices")
    assert find_converter("tflite").convert(net, load_recipe("static_wi8_ai8"), half).model != artifact.model


def test_weights_have_a_scale_for_each_channel(artifact: ModelArtifact) -> None:
    graph = parse_model(artifact.model)
    tensors = graph.subgraphs[0].tensors
    convolutions = [tensors[operator.inputs[1]] for operator in operators(graph) if operator.kind == "CONV_2D"]
    assert len(convolutions) > 3
    for weights in convolutions:
        assert len(tensor_scale(weights)[0]) == tensor_data(graph, weights).shape[0]


def test_layers_have_the_nets_names(net: Path, artifact: ModelArtifact) -> None:
    from edge_sv.models.checkpoint import load_net

    model, _ = load_net(net)
    assert {layer.name for layer in artifact.layers} <= {layer.name for layer in model.layers}
    kernels = {layer.name: layer.count_params() for layer in model.layers if hasattr(layer, "kernel")}
    assert kernels.keys() == {layer.name for layer in artifact.layers if layer.parameters}


def test_costs_are_those_of_the_keras_net(net: Path, artifact: ModelArtifact) -> None:
    from edge_sv.models.checkpoint import load_net
    from edge_sv.models.profile import profile_model

    model, _ = load_net(net)
    keras = {row.name: row.macs for row in profile_model(model) if row.macs}
    assert {row.name: row.macs for row in artifact.layers if row.macs} == keras
    assert sum(row.weight_bytes for row in artifact.layers) < len(artifact.model)


def test_float_twin_has_the_same_layers(net: Path, artifact: ModelArtifact) -> None:
    twin = parse_model(find_converter("tflite").convert_float(net))
    names = [tensor_name(twin.subgraphs[0].tensors[o.outputs[0]]) for o in operators(twin)]
    assert names == [layer.name for layer in artifact.layers]


def test_constants_are_aligned_for_microcontrollers(artifact: ModelArtifact) -> None:
    model = schema.Model.GetRootAs(artifact.model)
    constants = 0
    for index in range(model.BuffersLength()):
        data = model.Buffers(index).DataAsNumpy()
        if not isinstance(data, int) and len(data):
            start = data.__array_interface__["data"][0]
            base = np.frombuffer(artifact.model, np.uint8).__array_interface__["data"][0]
            assert (start - base) % BUFFER_ALIGNMENT == 0
            constants += 1
    assert constants > 10


def test_packing_changes_nothing(artifact: ModelArtifact) -> None:
    assert pack_model(parse_model(artifact.model)) == artifact.model


def test_unknown_recipe_is_refused(net: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'static_wi8_ai8'"):
        find_converter("tflite").convert(net, load_recipe("static_wi8_ai9"), voice_calibration())


def test_calibration_of_another_front_end_is_refused(net: Path) -> None:
    other = voice_calibration(FeatureConfig(num_mels=20), SEGMENTS)
    with pytest.raises(DataError, match="does not fit the net"):
        find_converter("tflite").convert(net, load_recipe("static_wi8_ai8"), other)


def test_an_operator_without_exact_int8_is_named(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf
    import tf_keras

    from edge_sv.models import checkpoint

    _, description = checkpoint.load_net(net)
    inputs = tf_keras.Input((SEGMENTS.frames, FEATURES.num_mels, 1))
    x = tf_keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = tf_keras.layers.Lambda(lambda t: tf.reduce_sum(t, (1, 2)), name="total")(x)
    monkeypatch.setattr(checkpoint, "load_net", lambda folder: (tf_keras.Model(inputs, x), description))
    with pytest.raises(DataError, match="layer 'total' becomes SUM"):
        find_converter("tflite").convert(net, load_recipe("static_wi8_ai8"), voice_calibration())


def test_unknown_converter_has_a_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'tflite'"):
        find_converter("tflight")
