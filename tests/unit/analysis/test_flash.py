"""The size table adds up to the real thing: to the compiled arrays, and to the file."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from edge_sv.analysis.flash import count_generated, count_tflite, size_tables
from edge_sv.artifacts.artifact import load_artifact
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.cortex_m import generate
from edge_sv.package.net_only import NetOnlyModel, generate_net_only
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import DEFAULT_CODE
from edge_sv.system.bundled import assets_dir
from edge_sv.tflite.flatbuffer import operators, pack_model, parse_model, profile_operators
from tests.converters.test_compressed_weights import SIXTEEN, _with_tables, _with_values
from tests.firmware.conftest import run, tool
from tests.int8_models import Int8Model

ARTIFACTS = ["resnet-nano/palette_w4_ai8", "ecapa-small/static_wi8_ai8"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> DevicePackage:
    artifact = load_artifact(assets_dir() / "resnet-nano" / "palette_w4_ai8")
    return write_package(artifact, load_target("cortex-m"), tmp_path_factory.mktemp("packages") / "package")


def _compiled(source: Path, includes: list[Path], out: Path) -> dict[str, int]:
    """Compile generated C; returns constant -> bytes in the object file."""
    flags = ["-std=c99", "-O0", *(f"-I{folder}" for folder in includes)]
    run([tool("gcc"), *flags, "-c", source, "-o", out])
    rows = (line.split() for line in run([tool("nm"), "-S", out]).splitlines())
    return {row[3]: int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "rRdD"}


def test_generated_code_compiles_to_these_bytes(package: DevicePackage, tmp_path: Path) -> None:
    includes = [package.path / "include", package.path / "src"]
    sizes = _compiled(package.path / "src/esv_model.c", includes, tmp_path / "net.o")
    (table,) = size_tables(package).values()
    parts = {"weights": "weights", "codebook": "codebook", "biases": "bias", "scales": "(multiplier|shift)"}
    for column, suffix in parts.items():
        found = sum(size for name, size in sizes.items() if re.fullmatch(rf"op\d+_.*_{suffix}", name))
        assert table.sum(column) == found > 0, column
    assert table.total == package.manifest.sizes.model_bytes == sum(table.sum(column) for column in parts)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_file_adds_up_buffer_by_buffer(name: str) -> None:
    artifact = load_artifact(assets_dir() / name)
    table = size_tables(artifact)["tflite"]
    tree = parse_model(artifact.model)
    buffers = sum(len(buffer.data) for buffer in tree.buffers if buffer.data is not None)
    assert sum(table.sum(column) for column in ("weights", "codebook", "biases", "other")) == buffers
    assert table.total == len(artifact.model)
    assert 0 < table.structure < 0.06 * table.total
    profiles = {row.name: row for row in profile_operators(tree)}
    assert all(profiles[layer.name].weight_bytes == layer.total for layer in table.layers)
    assert all(profiles[layer.name].weight_bits == layer.bits for layer in table.layers)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_artifact_s_source_is_that_of_its_package(name: str) -> None:
    artifact = load_artifact(assets_dir() / name)
    assert size_tables(artifact)["cortex-m"].total == generate(artifact, DEFAULT_CODE).constant_bytes


def test_a_palette_is_indices_and_a_codebook() -> None:
    plain, palette = (
        size_tables(load_artifact(assets_dir() / "resnet-nano" / recipe))["cortex-m"]
        for recipe in ("static_wi8_ai8", "palette_w4_ai8")
    )
    for before, after in zip(plain.layers, palette.layers, strict=True):
        assert (before.name, before.scales, before.biases) == (after.name, after.scales, after.biases)
        if after.bits == 4:
            channels = after.biases // 4
            groups = -(-before.weights // channels // 8)  # of 8 indices, 4 bytes
            assert (after.codebook, after.weights) == (16, channels * groups * 4)
    assert 4 in {layer.bits for layer in palette.layers} <= {4, 8}
    assert not plain.sum("codebook")


def test_packages_of_the_second_schema_are_counted_from_their_source(package: DevicePackage) -> None:
    generated = package.manifest.generated.model_copy(update={"constants": None})
    manifest = package.manifest.model_copy(update={"generated": generated})
    assert size_tables(dataclasses.replace(package, manifest=manifest)) == size_tables(package)


class TestLookupTables:
    def test_indices_and_tables_go_to_the_layer_that_uses_them(self) -> None:
        model = _with_values(SIXTEEN)
        plain, lut = count_tflite(model), count_tflite(_with_tables(model, per_channel=True))
        assert (plain.form, lut.form) == ("tflite", "lut")
        layers = {layer.name: layer for layer in plain.layers if layer.bits}
        compressed = {layer.name: layer for layer in lut.layers if layer.codebook}
        assert compressed.keys() == layers.keys() and len(compressed) > 1
        for name, layer in compressed.items():
            channels = layer.biases // 4
            assert (layer.bits, layer.weights) == (4, layers[name].weights // 2)
            values, rest = divmod(layer.codebook - 16, channels)  # behind a header, each output channel has its values
            assert 8 < values <= 16 and rest == 0
            assert layer.biases == layers[name].biases

    def test_add_up_to_the_file(self) -> None:
        model = _with_tables(_with_values(SIXTEEN), per_channel=True)
        table, tree = count_tflite(model), parse_model(model)
        tensors = tree.subgraphs[0].tensors
        used = {tensors[index].buffer for operator in operators(tree) for index in operator.inputs}
        constants = sum(len(tree.buffers[n].data) for n in used if tree.buffers[n].data is not None)
        assert sum(table.sum(column) for column in ("weights", "codebook", "biases", "other")) == constants
        assert table.total == len(model)

    def test_vanish_in_generated_code(self) -> None:
        plain = _with_values(SIXTEEN)
        nets = [NetOnlyModel("net", model) for model in (plain, _with_tables(plain, per_channel=True))]
        one, other = (count_generated(generate_net_only(net, DEFAULT_CODE).constants) for net in nets)
        assert one.layers == other.layers
        assert one.sum("codebook") > 0


def test_what_layers_share_is_counted_once() -> None:
    net = Int8Model((1, 8, 6, 3), seed=1)
    tree = parse_model(net.pack(net.conv(net.conv(net.input, 3), 3)))
    tensors = tree.subgraphs[0].tensors
    one, two = (operator.inputs[1] for operator in operators(tree))
    tensors[two].buffer = tensors[one].buffer
    shared = pack_model(tree)
    weights = [layer.weights for layer in count_tflite(shared).layers]
    assert weights == [9, 0]
    generated = generate_net_only(NetOnlyModel("net", shared), DEFAULT_CODE)
    assert [layer.weights for layer in count_generated(generated.constants).layers] == [12, 0]  # columns of fours
    assert count_generated(generated.constants).total == generated.constant_bytes
