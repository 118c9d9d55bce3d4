"""Nets trained with rounded activations become the integer nets that they were trained as."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow_model_optimization", reason="pip install 'edge-sv[train]'")
from edge_sv.artifacts.activation_ranges import RANGES_FILE, encode_ranges, load_ranges
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.net import net_sha256
from edge_sv.audio.recording import read_recording
from edge_sv.compress.method import save_compressed
from edge_sv.compress.quantization_aware import quantization_aware_method
from edge_sv.embedders import KerasEmbedder, LiteRTEmbedder, TflmEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.models.checkpoint import NetDescription, build_net, load_net, net_config, save_net
from edge_sv.package.net_only import NetOnlyModel, generate_net_only, make_net_only_vectors, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.check_generated_c import check_net_only_package
from edge_sv.plugins.converter import Calibration, find_converter
from edge_sv.plugins.generator import CodeOptions
from edge_sv.recipes.reading import load_recipe
from edge_sv.tflite.flatbuffer import WEIGHTED, operators, parse_model, schema, tensor_name
from tests.families import FAMILIES, build_tiny
from tests.nets import FEATURES, SEGMENTS, voice_calibration, voices

CASES = [("resnet", 8), ("df_resnet", 4), ("ecapa_tdnn", 4), ("xvector", 4), ("redimnet", 8)]


@dataclass(frozen=True)
class Trained:
    """A net after training, as it lies on disk, in memory and converted."""

    folder: Path
    bits: int
    net: Any
    artifact: ModelArtifact


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return voice_calibration()


@pytest.fixture(
    scope="module",
    params=[pytest.param(case, marks=[pytest.mark.slow] if case[0] == "redimnet" else []) for case in CASES],
    ids=[f"{family}-{bits}" for family, bits in CASES],
)
def trained(
    request: pytest.FixtureRequest, calibration: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    family, bits = request.param
    folder = tmp_path_factory.mktemp("nets") / family
    model = build_tiny(family, frames=SEGMENTS.frames, num_mels=FEATURES.num_mels)
    recipe = f"qat_wi{bits}_ai8"
    form = quantization_aware_method(model, load_recipe(recipe))
    net = form.trainable(model, lambda: calibration.segments[..., np.newaxis])
    config = net_config(family, dict(FAMILIES[family]))
    description = NetDescription("tiny", family, config, FEATURES, SEGMENTS)
    twin = build_net(description)
    save_compressed(folder, description, twin, form.finish(twin, net.get_weights()))
    yield Trained(folder, bits, net, find_converter("tflite").convert(folder, load_recipe(recipe), calibration))


def graph_of(artifact: ModelArtifact) -> list[tuple[str, str]]:
    graph = parse_model(artifact.model)
    return [(op.kind, tensor_name(graph.subgraphs[0].tensors[op.outputs[0]])) for op in operators(graph)]


def test_the_operators_are_those_of_post_training_quantization(
    trained: Trained, calibration: Calibration, tmp_path: Path
) -> None:
    """Everything folds as before: neither a normalization nor a ReLU nor a change of scale is an operator."""
    model, description = load_net(trained.folder)
    save_net(tmp_path, description, model)
    plain = find_converter("tflite").convert(tmp_path, load_recipe("static_wi8_ai8"), calibration)
    assert sorted(graph_of(trained.artifact)) == sorted(graph_of(plain))
    assert "QUANTIZE" not in {kind for kind, _ in graph_of(trained.artifact)}


def test_weights_have_the_bits_they_were_trained_with(trained: Trained) -> None:
    graph = parse_model(trained.artifact.model)
    tensors = graph.subgraphs[0].tensors
    types = Counter((op.kind, tensors[op.inputs[1]].type) for op in operators(graph) if op.kind in WEIGHTED)
    wanted = schema.TensorType.INT8 if trained.bits == 8 else schema.TensorType.INT4
    assert types[("CONV_2D", wanted)] == sum(count for (kind, _), count in types.items() if kind == "CONV_2D")


def test_tflm_equals_the_reference_kernels_and_both_follow_the_net(trained: Trained) -> None:
    reference, device = LiteRTEmbedder(trained.artifact, reference_kernels=True), TflmEmbedder(trained.artifact)
    twin = KerasEmbedder(trained.folder)
    for path in voices()[:3]:
        pcm = read_recording(path, sample_rate=16000)
        np.testing.assert_array_equal(reference.embed(pcm), device.embed(pcm))
        assert reference.embed(pcm) @ twin.embed(pcm) > 0.97


def test_integers_compute_what_was_trained(trained: Trained, calibration: Calibration) -> None:
    """The rounding net and the integer one differ by steps of the embedding's scale, not by the weights' bits."""
    embedder = LiteRTEmbedder(trained.artifact, reference_kernels=True)
    segments = calibration.segments[:16]
    got = np.stack([embedder.output.dequantize(embedder.invoke(embedder.input.quantize(s))) for s in segments])
    wanted = trained.net(segments[..., np.newaxis]).numpy()
    got = got.reshape(wanted.shape)
    cosines = np.sum(got * wanted, 1) / np.linalg.norm(got, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.mean() > 0.99


def test_generated_c_computes_what_tflm_computes(trained: Trained, tmp_path: Path) -> None:
    net, code = NetOnlyModel("net", trained.artifact.model), CodeOptions()
    vectors = make_net_only_vectors(net, generate_net_only(net, code))
    package = write_net_only_package(net, load_target("cortex-m"), tmp_path / "p", vectors=vectors, code=code)
    compared = check_net_only_package(package, [(v.inputs, v.outputs) for v in vectors], cache=tmp_path / "libraries")
    assert compared == len(vectors)


def test_calibration_changes_nothing(trained: Trained, calibration: Calibration) -> None:
    louder = replace(calibration, segments=np.clip(2 * calibration.segments, -FEATURES.clip, FEATURES.clip))
    again = find_converter("tflite").convert(trained.folder, load_recipe(trained.artifact.recipe), louder)
    assert again.model == trained.artifact.model


def test_ranges_belong_to_a_net(trained: Trained, calibration: Calibration, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "net")
    ranges = load_ranges(trained.folder)
    widened = {layer: (2 * low, 2 * high) for layer, (low, high) in ranges.items()}
    (tmp_path / "net" / RANGES_FILE).write_bytes(encode_ranges(widened))
    assert net_sha256(tmp_path / "net") != net_sha256(trained.folder)
    converter = find_converter("tflite")
    assert (
        converter.convert(tmp_path / "net", load_recipe(trained.artifact.recipe), calibration).model
        != trained.artifact.model
    )
    (tmp_path / "net" / RANGES_FILE).write_bytes(encode_ranges({**ranges, "another": (0.0, 1.0)}))
    with pytest.raises(UsageError, match="not of this net"):
        converter.convert(tmp_path / "net", load_recipe(trained.artifact.recipe), calibration)
    (tmp_path / "net" / RANGES_FILE).write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="damaged"):
        converter.convert(tmp_path / "net", load_recipe(trained.artifact.recipe), calibration)
    (tmp_path / "net" / RANGES_FILE).unlink()
    with pytest.raises(UsageError, match="does not fit"):
        converter.convert(tmp_path / "net", load_recipe(trained.artifact.recipe), calibration)
