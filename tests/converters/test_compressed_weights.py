"""Compressed weights reach the kernels in their smallest lossless form and compute what TFLM computes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from edge_sv_converters.c_source.compressed import with_compressed_weights
from edge_sv_converters.c_source.graph import Tensor, read_graph

from edge_sv.errors import DataError
from edge_sv.package.net_only import NetOnlyModel, generate_net_only, make_net_only_vectors, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.pipeline.check_generated_c import check_net_only_package
from edge_sv.plugins.generator import CodeOptions
from edge_sv.tflite.flatbuffer import operators, pack_model, parse_model, tensor_data
from tests.int8_models import Int8Model

tflite_micro = pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")

SIXTEEN = np.linspace(-120, 120, 16).astype(np.int8)


def _model() -> bytes:
    net = Int8Model((1, 8, 6, 3), seed=1)
    wide = net.conv(net.conv(net.input, 16, (3, 3), relu=True), 24)
    return net.pack(net.reshape(net.mean(wide, (1, 2)), (1, 24)))


def _weights(model: bytes) -> list[int]:
    return [operator.inputs[1] for operator in operators(parse_model(model)) if operator.kind == "CONV_2D"]


def _with_values(values: Sequence[int] | npt.NDArray[np.int8]) -> bytes:
    """Return the model with every weight moved to the nearest of some values."""
    tree, model = parse_model(_model()), _model()
    book = np.asarray(values, np.int8)
    for index in _weights(model):
        tensor = tree.subgraphs[0].tensors[index]
        old = tensor_data(tree, tensor)
        nearest = np.abs(old[..., np.newaxis].astype(int) - book).argmin(-1)
        tree.buffers[tensor.buffer].data = np.frombuffer(book[nearest].tobytes(), np.uint8)
    return pack_model(tree)


def _compact(model: bytes) -> list[Tensor]:
    graph = with_compressed_weights(read_graph(model))
    return [operation.input(1) for operation in graph.operations if operation.kind == "CONV_2D"]


def _with_tables(model: bytes, *, per_channel: bool) -> bytes:
    """Compress the weights to lookup tables, which TFLM_DECODE operators read."""
    spec = sys.modules["tflite_micro.tensorflow.lite.micro.compression.spec"]
    builder = tflite_micro.compression.SpecBuilder()
    for index in _weights(model):
        mode = spec.PerChannel(axis=0) if per_channel else spec.PerTensor()
        builder.add_tensor(subgraph=0, tensor=index).with_lut(index_bitwidth=4, mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(tflite_micro.compression.compress(model, builder.build()))


@pytest.mark.parametrize(
    ("values", "bits"), [(SIXTEEN, 4), ([-100, -50, -20, 30, 60, 110], 3), ([-100, -20, 30, 110], 2), ([-60, 60], 1)]
)
def test_few_values_become_a_palette(values: Sequence[int], bits: int) -> None:
    model = _with_values(values)
    for tensor, index in zip(_compact(model), _weights(model), strict=True):
        assert tensor.palette is not None and tensor.palette.bits == bits
        tree = parse_model(model)
        wanted = tensor_data(tree, tree.subgraphs[0].tensors[index])
        np.testing.assert_array_equal(tensor.palette.codebook[0][tensor.palette.indices], wanted)


def test_small_values_become_int4() -> None:
    assert [(tensor.dtype, tensor.palette) for tensor in _compact(_with_values(np.arange(-8, 8)))] == [
        ("int4", None)
    ] * 2


def test_other_weights_stay_as_they_are() -> None:
    assert [(tensor.dtype, tensor.palette) for tensor in _compact(_model())] == [("int8", None)] * 2


def test_tables_of_decode_operators_vanish_into_constants() -> None:
    plain = _with_values([-100, -20, 30, 110])
    for decoded, given in zip(_compact(_with_tables(plain, per_channel=True)), _compact(plain), strict=True):
        np.testing.assert_array_equal(decoded.values, given.values)
        assert decoded.palette is not None and decoded.palette.bits == 2


@pytest.mark.parametrize("form", ["palette", "int4", "tables"])
def test_compressed_weights_compute_what_tflm_computes(tmp_path: Path, form: str) -> None:
    model = _with_values(np.arange(-8, 8) if form == "int4" else SIXTEEN)
    model = _with_tables(model, per_channel=True) if form == "tables" else model
    net, code = NetOnlyModel("net", model), CodeOptions()
    generated = generate_net_only(net, code)
    assert generated.constant_bytes < 0.8 * generate_net_only(NetOnlyModel("plain", _model()), code).constant_bytes
    vectors = make_net_only_vectors(net, generated)
    package = write_net_only_package(net, load_target("cortex-m"), tmp_path / "p", vectors=vectors, code=code)
    compared = check_net_only_package(package, [(v.inputs, v.outputs) for v in vectors], cache=tmp_path / "libraries")
    assert compared == len(vectors)


def test_tables_that_tflm_decodes_to_other_values_are_refused() -> None:
    with pytest.raises(DataError, match="decodes to other values"):
        _compact(_with_tables(_with_values(SIXTEEN), per_channel=False))


@pytest.mark.parametrize(("place", "value"), [(0, 1), (1, 9), (4, 2), (5, 0x00), (5, 0x17), (6, 1), (6, 200)])
def test_a_damaged_table_is_refused(place: int, value: int) -> None:
    tree = parse_model(_with_tables(_with_values(SIXTEEN), per_channel=True))
    decode = tree.subgraphs[0].operators[0]
    table = tree.buffers[tree.subgraphs[0].tensors[decode.inputs[1]].buffer]
    data = np.array(table.data, np.uint8)
    data[place] = value
    table.data = data
    with pytest.raises(DataError, match="TFLM_DECODE"):
        _compact(pack_model(tree))
