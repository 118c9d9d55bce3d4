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
LIGHT_WINGS = """
    analysis artifacts audio embedders emulation evaluation frontend package pipeline plugins recipes report runtimes
    scoring system tflite verification
""".split()
IMPORT_ALL = """
import importlib, pkgutil, sys
wing = importlib.import_module(f"edge_sv.{sys.argv[1]}")
names = [module.name for module in pkgutil.iter_modules(wing.__path__, f"{wing.__name__}.")]
for name in names:
    importlib.import_module(name)
print(len(names), [name for name in ("tensorflow", "tf_keras") if name in sys.modules])
"""


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


@pytest.mark.parametrize("wing", LIGHT_WINGS)
def test_every_module_of_a_wing_imports(base: Environment, tmp_path: Path, wing: str) -> None:
    count, _, loaded = ok(base.run("python", "-c", IMPORT_ALL, wing, cwd=tmp_path)).partition(" ")
    assert int(count) > 0 and loaded == "[]\n"


@pytest.mark.parametrize("recipe", ["static_wi8_ai8", "palette_w4_ai8"])
@pytest.mark.parametrize("target", ["tflite", "tflite-micro", "cortex-m"])
def test_bundled_nets_build_and_say_which_check_was_made(
    base: Environment, tmp_path: Path, target: str, recipe: str
) -> None:
    work = ("--work", tmp_path / "work", "--out", tmp_path / "package")
    done = base.run(
        "edge-sv", "build", "resnet-nano", "--target", target, "--recipe", recipe, *work, "--json", cwd=tmp_path
    )
    told = json.loads(ok(done))
    assert told["check_made"] == "reference" and told["check"]["made"] == "reference" and told["bit_exact"] is True
    assert json.loads((tmp_path / "package" / "manifest.json").read_text())["check"]["made"] == "reference"
    again = base.run("edge-sv", "build", "resnet-nano", "--target", target, "--recipe", recipe, *work, cwd=tmp_path)
    assert "LiteRT's reference kernels" in ok(again) and "Traceback" not in again.stderr


def test_one_error_names_all_that_is_missing(base: Environment, tmp_path: Path) -> None:
    result = base.run("edge-sv", "build", "resnet-nano", "--check", "full", cwd=tmp_path)
    assert result.returncode == 6
    assert "tensorflow" in result.stderr and "tflite_micro" in result.stderr
    assert "pip install 'edge-sv[train,micro]'" in result.stderr and "Traceback" not in result.stderr


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
    assert "[train]" in result.stderr
    assert "Traceback" not in result.stderr


def test_wheel_carries_what_it_needs_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"edge_sv", "edge_sv_converters", next(top for top in tops if top.endswith(".dist-info"))}
    assert "edge_sv/_targets/tflite-micro/target.toml" in names
    assert any(name.startswith("edge_sv/_assets/voices/") for name in names)
    assert "edge_sv_converters/tflite.py" in names
    assert not [name for name in names if "__pycache__" in name]


def test_report_and_analyses_go_on_and_list_what_they_could_not_show(base: Environment, tmp_path: Path) -> None:
    report = json.loads(ok(base.run("edge-sv", "report", "resnet-nano", "--out", "report", "--json", cwd=tmp_path)))
    left_out = {row["section"]: row["reason"] for row in report["left_out"]}
    assert "matplotlib" in left_out["plots"] and "TensorFlow" in left_out["float nets"]
    assert any(name.startswith("error by layer") for name in left_out)
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
    ok(base.run("edge-sv", "analyze", "weights", "resnet-nano", cwd=tmp_path))
    for command in (("analyze", "layers", "resnet-nano"), ("analyze", "weights", "resnet-nano", "--plot", "w.svg")):
        result = base.run("edge-sv", *command, cwd=tmp_path)
        assert result.returncode == 6 and "pip install" in result.stderr and "Traceback" not in result.stderr
