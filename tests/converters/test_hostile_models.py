"""A damaged or hostile .tflite gives an error in words; what is compiled nevertheless computes what TFLM computes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from edge_sv_converters.c_source.graph import read_graph
from edge_sv_converters.c_source.operators.table import LOWERINGS
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.errors import DataError, EdgeSvError
from edge_sv.package.net_only import NetOnlyModel, generate_net_only, make_net_only_vectors, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import CodeOptions, GeneratedNet
from edge_sv.tflite.flatbuffer import pack_model, parse_model
from tests.broken_models import break_bytes, break_graph
from tests.firmware.conftest import WARNINGS, files_of, run, tool
from tests.int8_models import Int8Model
from tests.random_nets import random_net

PARENTS = [random_net(seed) for seed in range(12)]
BIG = 1 << 22
"""Bytes of RAM beyond which a broken model is not run."""


def _generate(model: bytes) -> GeneratedNet | None:
    """Compile a model to C; None when it is refused in words. Any other exception is a finding."""
    try:
        return generate_net_only(NetOnlyModel("broken", model), CodeOptions())
    except EdgeSvError as error:
        assert str(error)
        return None


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_changed_bytes_are_refused_or_compiled(seed: int) -> None:
    _generate(break_bytes(PARENTS[seed % len(PARENTS)], seed))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_lying_graphs_are_refused_or_compiled(seed: int) -> None:
    _generate(break_graph(PARENTS[seed % len(PARENTS)], seed))


@pytest.mark.slow
@pytest.mark.parametrize("how", [break_bytes, break_graph])
def test_ten_thousand_broken_models(how: Callable[[bytes, int], bytes]) -> None:
    for seed in range(10_000):
        _generate(how(PARENTS[seed % len(PARENTS)], seed))


def _broken_but_compiled(count: int) -> list[bytes]:
    """Return models that were changed and are compiled all the same."""
    found: list[bytes] = []
    for seed in range(100_000):
        parent = PARENTS[seed % len(PARENTS)]
        broken = random.Random(seed).choice([break_bytes, break_graph])(parent, seed)
        generated = None if broken == parent else _generate(broken)
        if generated is not None and generated.ram_bytes < BIG:
            found.append(broken)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("count", [3, pytest.param(200, marks=pytest.mark.slow)])
def test_what_is_compiled_from_a_broken_model_computes_what_tflm_computes(tmp_path: Path, count: int) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    compared = 0
    for number, model in enumerate(_broken_but_compiled(count)):
        net = NetOnlyModel(f"broken{number}", model)
        try:
            vectors = make_net_only_vectors(net, generate_net_only(net, CodeOptions()))
        except DataError:
            continue  # stricter than this converter
        package = write_net_only_package(
            net, load_target("cortex-m"), tmp_path / net.name, vectors=vectors, code=CodeOptions()
        )
        _run_under_sanitizers(package.path)
        compared += 1
    assert compared > 0


def _run_under_sanitizers(package: Path) -> None:
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    includes = [f"-I{package / folder}" for folder in ("include", "src", "golden")]
    sources = files_of(package, "src/*.c", "golden/*.c")
    flags = ["-std=c99", "-O1", *WARNINGS, *sanitize, *includes]
    run([tool("gcc"), *flags, *sources, "-lm", "-o", package / "golden_test"])
    run([package / "golden_test"])


def _plain() -> Int8Model:
    return Int8Model((1, 6, 4, 2), seed=3)


def test_an_operator_without_a_kernel_is_named() -> None:
    net = _plain()
    tree = parse_model(net.pack(net.unary("RELU", net.input)))
    tree.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUMSUM
    tree.operatorCodes[0].deprecatedBuiltinCode = 127
    assert "CUMSUM" not in LOWERINGS
    with pytest.raises(DataError, match="CUMSUM"):
        generate_net_only(NetOnlyModel("x", pack_model(tree)), CodeOptions())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.subgraphs.append(tree.subgraphs[0]), "2 graphs"),
        (lambda tree: setattr(tree.subgraphs[0].tensors[1], "isVariable", True), "variable"),
        (lambda tree: setattr(tree.subgraphs[0].tensors[0].quantization, "scale", np.zeros(1, np.float32)), "scale"),
        (lambda tree: setattr(tree.subgraphs[0].tensors[0], "type", schema.TensorType.COMPLEX64), "type"),
        (lambda tree: setattr(tree.subgraphs[0].operators[0], "outputs", [0]), "values already"),
        (lambda tree: setattr(tree.subgraphs[0], "outputs", [2]), "never computed"),
        (lambda tree: tree.subgraphs[0].operators.reverse(), "before it is computed"),
    ],
)
def test_what_a_file_lies_about_is_named(change: Callable[[object], object], message: str) -> None:
    net = _plain()
    first = net.unary("RELU", net.input)
    tree = parse_model(net.pack(net.unary("RELU", first)))
    if message == "never computed":
        del tree.subgraphs[0].operators[1]
    change(tree)
    with pytest.raises(DataError, match=message):
        read_graph(pack_model(tree))
