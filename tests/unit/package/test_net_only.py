"""Packages of a net without a front end: golden vectors from seeds, and files of the same kind as a speaker net's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.errors import DataError, DoesNotFit, UsageError
from edge_sv.package.net_only import (
    VECTORS,
    NetOnlyModel,
    generate_net_only,
    make_net_only_vectors,
    measure_net_only,
    read_net_only,
    write_net_only_package,
)
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions
from edge_sv.runtimes.tflm import TflmInterpreter
from tests.int8_models import Int8Model
from tests.unit.package.conftest import files_in


@pytest.fixture(scope="module")
def net() -> NetOnlyModel:
    made = Int8Model((1, 9, 4, 3), seed=1)
    pooled = made.mean(made.conv(made.input, 6, (3, 3)), (1, 2))
    return NetOnlyModel("keyword", made.pack(made.reshape(pooled, (1, 6))))


def test_a_file_is_read_by_name(net: NetOnlyModel, tmp_path: Path) -> None:
    (tmp_path / "keyword.tflite").write_bytes(net.model)
    read = read_net_only(tmp_path / "keyword.tflite")
    assert (read.name, read.sha256) == (net.name, net.sha256) and net.sha256 in read.banner
    assert [layer.kind for layer in read.layers] == ["CONV_2D", "MEAN", "RESHAPE"]
    with pytest.raises(DataError, match="cannot read"):
        read_net_only(tmp_path / "none.tflite")


def test_vectors_come_from_a_seed_and_are_what_the_interpreter_computes(net: NetOnlyModel) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    generated = generate_net_only(net, DEFAULT_CODE)
    made, again = (make_net_only_vectors(net, generated) for _ in range(2))
    assert [vector.name for vector in made] == list(VECTORS)
    interpreter = TflmInterpreter(net.model)
    for one, other in zip(made, again, strict=True):
        assert one.files() == other.files()
        np.testing.assert_array_equal(interpreter.run(*one.inputs)[0], one.outputs[0])
    spans = [np.ptp(vector.inputs[0].astype(int)) for vector in made]
    assert spans[0] > 240 and 10 < spans[1] < 200 and spans[2] == 0


def test_a_package_is_written_and_read(net: NetOnlyModel, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    code = CodeOptions(prefix="kws")
    vectors = make_net_only_vectors(net, generate_net_only(net, code))
    target = load_target("cortex-m")
    first, again = (
        write_net_only_package(net, target, tmp_path / name, vectors=vectors, code=code) for name in ("one", "two")
    )
    for one, other in zip(files_in(first.path), files_in(again.path), strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert first.speaker is None and first.model == net.model
    with pytest.raises(UsageError, match="a net without a front end"):
        _ = first.artifact
    manifest = first.manifest
    assert manifest.generated is not None and manifest.generated.prefix == "kws" and manifest.features is None
    assert [vector.name for vector in manifest.golden] == list(VECTORS)
    names = {path.relative_to(first.path).as_posix() for path in files_in(first.path)}
    assert {"src/kws.c", "include/kws.h", "src/esv_conv.c", "golden/uniform/input0.npy"} <= names
    assert not {"src/esv.c", "include/esv.h", "include/kws_cohort.h"} & names, "nothing of the speaker runtime"


def test_what_is_too_large_is_not_written(net: NetOnlyModel, tmp_path: Path) -> None:
    flash = measure_net_only(generate_net_only(net, DEFAULT_CODE)).flash_bytes
    with pytest.raises(DoesNotFit, match="'keyword' does not fit target 'cortex-m': 1 bytes of flash too many"):
        write_net_only_package(
            net, load_target("cortex-m"), tmp_path / "out", vectors=(), code=DEFAULT_CODE, max_flash=flash - 1
        )
    assert not (tmp_path / "out").exists()
