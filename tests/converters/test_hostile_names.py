"""A model whose tensors, name and recipe are written by an attacker: nothing of them becomes code in a package."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from edge_sv_converters.c_source.constants import identifier

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact
from edge_sv.package import write_package
from edge_sv.package.cortex_m import generate
from edge_sv.package.net_only import NetOnlyModel, generate_net_only, make_net_only_vectors, write_net_only_package
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions, PlanName
from edge_sv.system.bundled import assets_dir
from edge_sv.tflite.flatbuffer import pack_model, parse_model, profile_operators
from tests.firmware.conftest import tool
from tests.hostile_names import HOSTILE

SOURCES = (".c", ".h", ".cc")
MARKS = "<>`|[]$*#~\\"
"""What begins something in Markdown."""


def _rename(model: bytes, *, harmless: bool) -> bytes:
    """Give every tensor a hostile name, or the identifier that its name becomes in C."""
    tree = parse_model(model)
    for number, tensor in enumerate(tree.subgraphs[0].tensors):
        name = f"{number}{HOSTILE[number % len(HOSTILE)]}"
        tensor.name = identifier(name) if harmless else name
    return pack_model(tree)


def _named(artifact: ModelArtifact, hostile: str, *, harmless: bool) -> ModelArtifact:
    model = _rename(artifact.model, harmless=harmless)
    name = identifier(hostile) if harmless else hostile
    layers = profile_operators(parse_model(model))
    return replace(artifact, model=model, name=name, recipe=name, layers=layers)


def _compiled_text(package: Path) -> dict[str, str]:
    """Return what a compiler reads of every source, without comments; hashes of the model are blanked."""
    texts = {}
    for path in sorted(path for path in package.rglob("*") if path.suffix in SOURCES):
        command = [tool("gcc"), "-std=c99", "-fpreprocessed", "-dD", "-E", "-P", path]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        texts[path.relative_to(package).as_posix()] = re.sub(r"\b(0x[0-9a-f]{2}, ){31}0x[0-9a-f]{2}\b", "", done.stdout)
    return texts


def _packages(
    tmp_path: Path, artifact: ModelArtifact, hostile: str, target: str, plan: PlanName | None = None
) -> tuple[Path, Path]:
    for harmless in (False, True):
        named = _named(artifact, hostile, harmless=harmless)
        out = tmp_path / ("harmless" if harmless else "hostile")
        write_package(named, load_target(target), out, code=replace(DEFAULT_CODE, plan=plan))
    return tmp_path / "hostile", tmp_path / "harmless"


@pytest.mark.parametrize(("net", "plan"), [("xvector-small", "streaming"), ("resnet-nano", "static")])
def test_the_compiler_reads_the_same_whatever_the_names_are(tmp_path: Path, net: str, plan: PlanName) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    artifact = load_artifact(assets_dir() / net / "static_wi8_ai8")
    hostile, harmless = _packages(tmp_path, artifact, HOSTILE[0], "cortex-m", plan)
    mine, wanted = _compiled_text(hostile), _compiled_text(harmless)
    name = r"(NAME|SHA256) \"[^\"]*\""
    assert {path: re.sub(name, "", text) for path, text in mine.items()} == {
        path: re.sub(name, "", text) for path, text in wanted.items()
    }
    assert any(f"{plan} plan:" in path.read_text().lower() for path in hostile.glob("src/*.c"))


def test_the_obstacle_of_a_streaming_plan_is_text(tmp_path: Path) -> None:
    artifact = _named(load_artifact(assets_dir() / "xvector-small" / "static_wi8_ai8"), HOSTILE[0], harmless=False)
    code = replace(DEFAULT_CODE, plan="streaming")
    source = generate(artifact, code).files["src/esv_model.c"].decode()
    banner = source[: source.index("#include")]
    assert "what the operators behind" in banner and banner.count("*/") == 1


@pytest.mark.parametrize("target", ["cortex-m", "tflite-micro", "tflite"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_documents_and_build_files_have_no_more_marks_than_harmless_ones(
    tmp_path: Path, tiny_artifact: ModelArtifact, target: str, hostile: str
) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    packages = _packages(tmp_path, tiny_artifact, hostile, target)
    for name in ("README.md", "CMakeLists.txt", "Makefile"):
        mine, wanted = ((package / name).read_text() if (package / name).exists() else "" for package in packages)
        assert mine or name != "README.md"
        entities = re.compile(r"&#\d+;")
        assert len(mine.splitlines()) == len(wanted.splitlines())
        assert {mark: entities.sub("", mine).count(mark) for mark in MARKS} == {
            mark: wanted.count(mark) for mark in MARKS
        }


def test_a_net_only_package_of_hostile_names_compiles_to_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    model = load_artifact(assets_dir() / "resnet-nano" / "static_wi8_ai8").model
    texts = []
    for harmless in (False, True):
        net = NetOnlyModel("x" if harmless else HOSTILE[0], _rename(model, harmless=harmless))
        code, out = CodeOptions(), tmp_path / str(harmless)
        vectors = make_net_only_vectors(net, generate_net_only(net, code))
        write_net_only_package(net, load_target("cortex-m"), out, vectors=vectors, code=code)
        texts.append(_compiled_text(out))
    assert texts[0] == texts[1]
