"""Lookup tables: the same outputs at every index width and in every form, less flash, and nothing else accepted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from edge_sv_converters.c_source.compressed import with_compressed_weights
from edge_sv_converters.c_source.graph import read_graph
from edge_sv_converters.lut import STRUCTURE_BYTES, LutTableWriter

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.provenance import Provenance
from edge_sv.embedders import LiteRTEmbedder, TflmEmbedder, artifact_embedder
from edge_sv.errors import AccuracyGateFailed, DoesNotFit, UsageError
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.package import DevicePackage, estimate_footprint, write_package
from edge_sv.package.budget import check_budget
from edge_sv.package.net_only import NetOnlyModel, generate_net_only, make_net_only_vectors, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.check_generated_c import check_net_only_package
from edge_sv.pipeline.check_lookup_tables import check_tables
from edge_sv.plugins.generator import CodeOptions
from edge_sv.plugins.table_writer import LookupModel, compress_tables
from edge_sv.runtimes.interpreter import run_each
from edge_sv.runtimes.tflm import TflmInterpreter
from edge_sv.scoring.speech_sample import SpeechSample
from edge_sv.system.array_types import Int8
from edge_sv.tflite.flatbuffer import (
    decoded_tensors,
    operators,
    pack_model,
    parse_model,
    profile_operators,
    schema,
    tensor_data,
    tensor_shape,
)
from tests.int8_models import Int8Model
from tests.nets import voices

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")

WIDTHS = range(1, 8)
CHANNELS = 163
"""Odd, so that channels begin within a word of indices, and enough that 128 values a channel still gain."""


def one_layer(kind: str) -> bytes:
    """A net of one weighted layer: `conv` (8, 3, 3, 163), `depthwise` (1, 5, 5, 163)."""
    net = Int8Model((1, 4, 4, CHANNELS), seed=3)
    return net.pack(net.conv(net.input, 8, (3, 3)) if kind == "conv" else net.depthwise(net.input, (5, 5)))


def weights_of(tree: schema.ModelT) -> list[schema.TensorT]:
    return [
        tree.subgraphs[0].tensors[o.inputs[1]] for o in operators(tree) if o.kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
    ]


def with_weights(model: bytes, *values: Int8, one_scale: bool = False) -> bytes:
    """Return the model with other weights; `one_scale`: quantized per tensor."""
    tree = parse_model(model)
    for tensor, codes in zip(weights_of(tree), values, strict=True):
        assert codes.shape == tensor_shape(tensor)
        tree.buffers[tensor.buffer].data = np.frombuffer(codes.tobytes(), np.uint8)
        if one_scale:
            tensor.quantization.scale, tensor.quantization.zeroPoint = tensor.quantization.scale[:1], np.zeros(1, int)
    return pack_model(tree)


def few_values(shape: tuple[int, ...], bits: int, *, axis: int | None = None, low: int = -127) -> Int8:
    """Random int8 of 2 ** bits values; `axis`: another choice of them for each slice."""
    rng = np.random.default_rng(bits)
    slices = []
    for _ in range(1 if axis is None else shape[axis]):
        book = rng.choice(np.arange(low, -low + 1), 1 << bits, replace=False)
        size = int(np.prod(shape)) // (1 if axis is None else shape[axis])
        places = np.concatenate([np.arange(1 << bits), rng.integers(0, 1 << bits, size)])[:size]
        slices.append(book[rng.permutation(places)])
    if axis is None:
        return slices[0].astype(np.int8).reshape(shape)
    rest = [n for i, n in enumerate(shape) if i != axis]
    return np.ascontiguousarray(np.moveaxis(np.stack(slices).reshape(shape[axis], *rest), 0, axis)).astype(np.int8)


def compress(model: bytes) -> LookupModel:
    return LutTableWriter().compress(model)


def run(model: bytes) -> Int8:
    """Outputs of TensorFlow Lite Micro at four random inputs."""
    interpreter = TflmInterpreter(model)
    shape = tuple(interpreter.inputs[0]["shape"])
    return run_each(
        interpreter, [np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8) for seed in range(4)]
    )


def assert_same_in_less(model: bytes, *, bits: int, tables: int) -> None:
    lookup = compress(model)
    (use,) = lookup.tables
    assert (use.bits, use.tables, lookup.skipped) == (bits, tables, ())
    assert len(lookup.model) < len(model)
    np.testing.assert_array_equal(run(lookup.model), run(model))
    (tensor,) = (op.input(1) for op in with_compressed_weights(read_graph(lookup.model)).operations)
    tree = parse_model(model)
    if weights_of(tree)[0].type == schema.TensorType.INT8:
        np.testing.assert_array_equal(tensor.values, tensor_data(tree, weights_of(tree)[0]))


@pytest.mark.parametrize("bits", WIDTHS)
def test_one_table_for_weights_with_a_scale_for_each_channel(bits: int) -> None:
    assert_same_in_less(with_weights(one_layer("conv"), few_values((8, 3, 3, CHANNELS), bits)), bits=bits, tables=1)


@pytest.mark.parametrize("bits", WIDTHS)
def test_a_table_for_each_channel(bits: int) -> None:
    codes = few_values((8, 3, 3, CHANNELS), bits, axis=0)
    assert_same_in_less(with_weights(one_layer("conv"), codes), bits=bits, tables=8)


@pytest.mark.parametrize("bits", WIDTHS)
def test_weights_with_one_scale(bits: int) -> None:
    model = with_weights(one_layer("conv"), few_values((8, 3, 3, CHANNELS), bits), one_scale=True)
    assert_same_in_less(model, bits=bits, tables=1)


@pytest.mark.parametrize("bits", WIDTHS)
def test_one_table_along_the_last_axis(bits: int) -> None:
    codes = few_values((1, 5, 5, CHANNELS), bits)
    assert_same_in_less(with_weights(one_layer("depthwise"), codes), bits=bits, tables=1)


@pytest.mark.parametrize("bits", [1, 2])
def test_tables_along_the_last_axis(bits: int) -> None:
    codes = few_values((1, 5, 5, CHANNELS), bits, axis=3)
    assert_same_in_less(with_weights(one_layer("depthwise"), codes), bits=bits, tables=CHANNELS)


def packed_int4(codes: Int8) -> bytes:
    """The one-layer net with int4 weights."""
    tree = parse_model(one_layer("conv"))
    (tensor,) = weights_of(tree)
    nibbles = np.append(codes.ravel().view(np.uint8) & 0xF, np.zeros(codes.size % 2, np.uint8))
    tensor.type = schema.TensorType.INT4
    tree.buffers[tensor.buffer].data = nibbles[0::2] | nibbles[1::2] << 4
    return pack_model(tree)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_int4_of_few_values_takes_fewer_bits(bits: int) -> None:
    codes = few_values((8, 3, 3, CHANNELS), bits, low=-7)
    assert_same_in_less(packed_int4(codes), bits=bits, tables=1)
    np.testing.assert_array_equal(run(packed_int4(codes)), run(with_weights(one_layer("conv"), codes)))


def test_int4_stays_where_indices_are_as_wide() -> None:
    model = packed_int4(np.random.default_rng(0).integers(-7, 8, (8, 3, 3, CHANNELS)).astype(np.int8))
    lookup = compress(model)
    assert lookup.model == model and lookup.tables == () and len(lookup.skipped) == 1


def test_weights_of_more_values_stay() -> None:
    model = one_layer("conv")
    assert compress(model).model == model and compress_tables(model) is None


def test_nothing_gets_larger() -> None:
    """A layer that would gain less than what an operator and two tensors add stays; the estimate of that holds."""
    net = Int8Model((1, 6, 6, 4), seed=5)
    x = net.input
    for channels in (4, 12, 12, 16):
        x = net.conv(x, channels, (3, 3))
    tree = parse_model(net.pack(x))
    model = with_weights(net.pack(x), *(few_values(tensor_shape(tensor), 2) for tensor in weights_of(tree)))
    lookup = compress(model)
    assert len(lookup.skipped) == 1 and len(lookup.tables) == 3
    promised = sum(use.plain_bytes - use.bytes - STRUCTURE_BYTES - 2 * len("tensor00") for use in lookup.tables)
    assert 0 < promised <= len(model) - len(lookup.model)
    np.testing.assert_array_equal(run(lookup.model), run(model))


def test_same_model_same_bytes_and_once_is_enough() -> None:
    model = with_weights(one_layer("conv"), few_values((8, 3, 3, CHANNELS), 4))
    lookup = compress(model)
    assert compress(model).model == lookup.model
    assert compress(lookup.model).model == lookup.model


def test_weights_that_two_layers_share_stay() -> None:
    net = Int8Model((1, 4, 4, CHANNELS), seed=3)
    tree = parse_model(net.pack(net.conv(net.conv(net.input, CHANNELS, (3, 3)), CHANNELS, (3, 3))))
    first, second = (operator for operator in tree.subgraphs[0].operators)
    second.inputs = np.array([second.inputs[0], first.inputs[1], second.inputs[2]], np.int32)
    tensor = weights_of(tree)[0]
    tree.buffers[tensor.buffer].data = few_values(tensor_shape(tensor), 2).view(np.uint8).ravel()
    assert compress(pack_model(tree)).tables == ()


def test_a_layer_s_cost_is_that_of_its_tables() -> None:
    model = with_weights(one_layer("conv"), few_values((8, 3, 3, CHANNELS), 3))
    lookup = compress(model)
    (plain,), (compact,) = (profile_operators(parse_model(m)) for m in (model, lookup.model))
    assert (plain.weight_bits, compact.weight_bits) == (8, 3)
    assert compact.weight_bytes == plain.weight_bytes - lookup.tables[0].plain_bytes + lookup.tables[0].bytes
    assert dataclasses.replace(compact, weight_bits=8, weight_bytes=plain.weight_bytes) == plain


@pytest.mark.parametrize("channelwise", [False, True])
def test_compiled_c_computes_the_same(tmp_path: Path, channelwise: bool) -> None:
    codes = few_values((8, 3, 3, CHANNELS), 3, axis=0 if channelwise else None)
    model = with_weights(one_layer("conv"), codes)
    generated = [generate_net_only(NetOnlyModel("net", m), CodeOptions()) for m in (model, compress(model).model)]
    assert generated[0].constant_bytes == generated[1].constant_bytes
    net, code = NetOnlyModel("net", compress(model).model), CodeOptions()
    vectors = make_net_only_vectors(net, generated[1])
    package = write_net_only_package(net, load_target("cortex-m"), tmp_path / "p", vectors=vectors, code=code)
    assert check_net_only_package(package, [(v.inputs, v.outputs) for v in vectors], cache=tmp_path / "c") == len(
        vectors
    )


@pytest.fixture(scope="module")
def artifact() -> ModelArtifact:
    """A speaker net of random weights, those of its widest layers with few values."""
    net = Int8Model((1, 50, 16, 1), seed=7)
    x = net.conv(net.input, 8, (3, 3), stride=(4, 4), relu=True)
    x = net.conv(net.conv(x, 48, (3, 3), relu=True), 48, (3, 3), relu=True)
    model = net.pack(net.reshape(net.mean(net.conv(x, 16), (1, 2)), (1, 16)))
    stem, *widest, last = (tensor_data(parse_model(model), tensor) for tensor in weights_of(parse_model(model)))
    model = with_weights(model, stem, *(few_values(weights.shape, 4) for weights in widest), last)
    return ModelArtifact(
        name="few",
        kind="tflite",
        model=model,
        features=FeatureConfig(num_mels=16),
        segments=SegmentRule(frames=50, hop_frames=50),
        embedding_dim=16,
        recipe="palette_w4_ai8",
        layers=profile_operators(parse_model(model)),
        provenance=Provenance({"float_sha256": "0" * 64}),
    )


@pytest.fixture(scope="module")
def package(artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    return write_package(artifact, load_target("tflite-micro"), tmp_path_factory.mktemp("lut") / "package")


RECORDINGS = SpeechSample({"voice": (voices()[0],)}, None, "a synthetic voice")


def test_a_package_for_tflm_is_compressed_and_says_so(package: DevicePackage, artifact: ModelArtifact) -> None:
    manifest = package.manifest
    lookup, sizes = manifest.lookup, manifest.sizes
    assert lookup is not None and len(lookup.tables) == 2 and len(lookup.skipped) == 2
    assert (lookup.plain_sha256, lookup.plain_model_bytes) == (artifact.sha256, len(artifact.model))
    assert sizes.model_bytes == len(package.model) < len(artifact.model) - 10_000
    assert sizes.flash_bytes < lookup.plain_flash_bytes - 5_000
    assert "TFLM_DECODE" in manifest.operators
    assert "resolver->AddDecode() == kOk" in (package.path / "src/esv_op_resolver.h").read_text()
    assert f"{lookup.plain_model_bytes:,}" in (package.path / "README.md").read_text()
    widest = {table.layer for table in lookup.tables}
    assert {
        layer["name"]: layer["weight_bits"] for layer in manifest.layers if layer["name"] in widest
    } == dict.fromkeys(widest, 4)


def test_it_computes_the_same(package: DevicePackage, artifact: ModelArtifact) -> None:
    assert check_tables(package, artifact, RECORDINGS) > 0
    plain = TflmEmbedder(artifact)
    for golden in package.manifest.golden:
        folder = package.path / "golden" / golden.name
        for segment, output in zip(np.load(folder / "input.npy"), np.load(folder / "output.npy"), strict=True):
            np.testing.assert_array_equal(plain.invoke(segment), output)


def test_the_arena_is_that_of_the_compressed_model(package: DevicePackage) -> None:
    arena = package.arena_bytes
    assert arena is not None
    TflmEmbedder(package.artifact, arena_bytes=arena)
    assert package.manifest.sizes.ram_bytes == arena + package.manifest.sizes.object_bytes + (
        package.manifest.sizes.buffer_bytes
    )


def test_without_tables_on_request(artifact: ModelArtifact, tmp_path: Path) -> None:
    code = CodeOptions(lookup_tables=False)
    package = write_package(artifact, load_target("tflite-micro"), tmp_path / "plain", code=code)
    assert package.manifest.lookup is None and package.model == artifact.model


def test_what_is_too_large_for_ram_names_the_way_out(artifact: ModelArtifact) -> None:
    target = load_target("tflite-micro")
    footprint = estimate_footprint(artifact, target)
    assert footprint.plain is not None and footprint.plain.ram_bytes is not None
    assert footprint.ram_bytes is not None and footprint.plain.ram_bytes < footprint.ram_bytes
    check_budget(artifact, target, footprint.plain, max_ram=footprint.plain.ram_bytes)
    with pytest.raises(DoesNotFit) as caught:
        check_budget(artifact, target, footprint, max_ram=footprint.plain.ram_bytes)
    assert f"--no-lut needs {footprint.ram_bytes - footprint.plain.ram_bytes:,} bytes of RAM less" in caught.value.hint


def test_runtimes_that_cannot_expand_tables_say_so(package: DevicePackage) -> None:
    with pytest.raises(UsageError, match="lookup tables") as caught:
        LiteRTEmbedder(package.artifact)
    assert "--runtime tflm" in str(caught.value.hint)
    with pytest.raises(UsageError, match="lookup tables"):
        artifact_embedder(package.artifact, runtime="tflite")
    assert isinstance(artifact_embedder(package.artifact), TflmEmbedder)


def test_tables_that_are_read_as_other_weights_fail_and_name_the_layer(
    package: DevicePackage, artifact: ModelArtifact
) -> None:
    """Without the stride of 0 the second channel's table would lie behind the first one's."""
    tree = parse_model(package.model)
    _, table = list(decoded_tensors(tree).values())[1]
    buffer = tree.buffers[tree.subgraphs[0].tensors[table].buffer]
    data = np.array(buffer.data, np.uint8)
    assert data[6] == 0
    data[6] = 1
    buffer.data = data
    broken = dataclasses.replace(package.artifact, model=pack_model(tree))
    wrong = dataclasses.replace(package, model=broken.model, speaker=broken)
    with pytest.raises(AccuracyGateFailed, match="lookup tables change") as caught:
        check_tables(wrong, artifact, RECORDINGS)
    assert caught.value.details["layer"].startswith(f"'{package.manifest.lookup.tables[1].layer}' (CONV_2D)")
