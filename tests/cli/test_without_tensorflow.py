"""A phone or a gateway has no TensorFlow: what runs there must install, start, enroll and verify without it."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from edge_sv.system.bundled import assets_dir
from tests.cli.environments import Environment, make_environment

VOICES = assets_dir() / "voices"
LIGHT_MODULES = """
    arena artifact audio converter degrade embedders embedding_cache errors evaluate features files flatbuffer metrics
    noisy package profile report resources scoring segments target tensor_format trials verify cli.app cli.enroll
    cli.verify cli.evaluate cli.targets
""".split()


@pytest.fixture(scope="module")
def base(wheel: Path) -> Environment:
    return make_environment("base", wheel)


def ok(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_tensorflow_is_absent(base: Environment, tmp_path: Path) -> None:
    found = "import importlib.util as u; print([m for m in ('tensorflow', 'tf_keras', 'keras') if u.find_spec(m)])"
    assert ok(base.run("python", "-c", found, cwd=tmp_path)) == "[]\n"


def test_help_lists_the_commands(base: Environment, tmp_path: Path) -> None:
    assert "verify" in ok(base.run("edge-sv", "--help", cwd=tmp_path))


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_module_imports(base: Environment, tmp_path: Path, module: str) -> None:
    ok(base.run("python", "-c", f"import edge_sv.{module}", cwd=tmp_path))


def test_enrolls_and_verifies(base: Environment, tmp_path: Path) -> None:
    ok(base.run("edge-sv", "enroll", "ada.print", *(VOICES / f"ada_{i}.flac" for i in (1, 2, 3)), cwd=tmp_path))
    same = base.run("edge-sv", "verify", "ada.print", VOICES / "ada_4.flac", "--json", cwd=tmp_path)
    other = base.run("edge-sv", "verify", "ada.print", VOICES / "bea_1.flac", "--json", cwd=tmp_path)
    assert (same.returncode, json.loads(same.stdout)["accepted"]) == (0, True), same.stderr
    assert (other.returncode, json.loads(other.stdout)["accepted"]) == (10, False), other.stderr


def test_training_says_what_is_missing(base: Environment, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text("")
    result = base.run("edge-sv", "train", "net.toml", "--data", ".", cwd=tmp_path)
    assert result.returncode == 6, result.stderr
    assert "edge_sv[train]" in result.stderr
    assert "Traceback" not in result.stderr


def test_wheel_carries_what_it_needs_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"edge_sv", "edge_sv_converters", next(top for top in tops if top.endswith(".dist-info"))}
    assert "edge_sv/_targets/tflite-micro/target.toml" in names
    assert any(name.startswith("edge_sv/_assets/voices/") for name in names)
    assert "edge_sv_converters/tflite.py" in names
    assert not [name for name in names if "__pycache__" in name]
