"""`edge-sv build --target cortex-m` as people and scripts meet it: speaker nets and any int8 .tflite as C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_sv.artifacts.artifact import save_artifact
from edge_sv.tflite.flatbuffer import pack_model, parse_model
from tests.cli.test_build import edge_sv
from tests.nets import convert, make_float_net
from tests.random_nets import random_net

pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")


@pytest.fixture(scope="module")
def tiny_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_float_net(tmp_path_factory.mktemp("nets") / "tiny")
    save_artifact(folder / "static_wi8_ai8", convert(folder))
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    path = tmp_path / "keyword.tflite"
    path.write_bytes(random_net(2))
    return path


def test_a_speaker_net_becomes_c(tiny_net: Path, kept: Path, tmp_path: Path) -> None:
    done = edge_sv("build", tiny_net, "--target", "cortex-m", "--out", tmp_path / "p", "--work", kept, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bit_exact"] is True and told["cosine_to_float"] > 0.99
    needed = {plan["name"]: plan["ram_bytes"] for plan in told["plans"]}
    assert told["plan"] == "streaming" and needed["streaming"] == told["arena_bytes"] < needed["static"]
    assert told["ram_bytes"] > told["arena_bytes"] and told["flash_bytes"] > told["model_bytes"]
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["generated"]["plan"] == "streaming" and (tmp_path / "p" / "src" / "esv_model.c").is_file()


def test_a_compressed_net_builds_without_data_and_takes_half_of_the_flash(kept: Path, tmp_path: Path) -> None:
    sizes = {}
    for recipe in ("static_wi8_ai8", "palette_w4_ai8"):
        arguments = ["--target", "cortex-m", "--recipe", recipe, "--out", tmp_path / recipe, "--work", kept, "--json"]
        done = edge_sv("build", "resnet-nano", *arguments)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["bit_exact"] is True and told["recipe"] == recipe
        sizes[recipe] = told["model_bytes"]
    assert sizes["palette_w4_ai8"] < 0.55 * sizes["static_wi8_ai8"]


def test_any_tflite_becomes_c(tflite: Path, kept: Path, tmp_path: Path) -> None:
    options = ["--target", "cortex-m", "--prefix", "keyword", "--out", tmp_path / "p", "--work", kept]
    done = edge_sv("build", tflite, *options)
    assert done.returncode == 0, done.stderr
    assert "C = TensorFlow Lite Micro at 3 vectors" in done.stdout and "static plan" in done.stdout
    assert (tmp_path / "p" / "include" / "keyword.h").is_file()
    refused = edge_sv("evaluate", tmp_path / "p", "--trials", tmp_path / "none", "--audio", tmp_path)
    assert refused.returncode in (2, 3)


def test_a_dry_run_measures_any_tflite(tflite: Path, kept: Path, tmp_path: Path) -> None:
    done = edge_sv(
        "build", tflite, "--target", "cortex-m", "--out", tmp_path / "p", "--work", kept, "--dry-run", "--json"
    )
    told = json.loads(done.stdout)
    assert told["measured"] is True and told["fits"] is True and told["ram_bytes"] > 0
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--target", "tflite"], 2, "has no front end"),
        (["--target", "cortex-m", "--plan", "stream"], 2, "did you mean 'streaming'"),
        (["--target", "cortex-m", "--plan", "streaming"], 2, "no streaming plan"),
        (["--target", "cortex-m", "--prefix", "9x"], 2, "cannot begin"),
        (["--target", "cortex-m", "--max-ram", "16"], 4, "bytes of RAM too many"),
    ],
)
def test_what_cannot_be_is_said(
    tflite: Path,
    kept: Path,
    tmp_path: Path,
    options: list[str],
    code: int,
    words: str,
) -> None:
    done = edge_sv("build", tflite, *options, "--out", tmp_path / "p", "--work", kept)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "p").exists()


def test_an_operator_without_a_kernel_is_named(tflite: Path, kept: Path, tmp_path: Path) -> None:
    tree = parse_model(tflite.read_bytes())
    tree.operatorCodes[0].builtinCode, tree.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUMSUM, 127
    tflite.write_bytes(pack_model(tree))
    done = edge_sv("build", tflite, "--target", "cortex-m", "--out", tmp_path / "p", "--work", kept)
    assert done.returncode == 3 and "CUMSUM" in done.stderr


def test_a_file_that_is_no_model_is_refused(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"not a model at all")
    done = edge_sv("build", tmp_path / "x.tflite", "--target", "cortex-m", "--out", tmp_path / "p", "--work", kept)
    assert done.returncode == 3 and "TFL3" in done.stderr
