"""What must hold inside the container image; `make docker-test` runs it there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

import edge_sv
from edge_sv.plugins.converter import find_converter
from edge_sv.system.bundled import assets_dir, targets_dir

pytestmark = pytest.mark.docker


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)


def test_command_runs() -> None:
    result = run("edge-sv", "--help")
    assert result.returncode == 0, result.stderr
    assert "build" in result.stdout


def test_package_is_installed_with_its_assets_and_targets() -> None:
    package = Path(edge_sv.__file__).parent
    assert "site-packages" in package.parts
    assert assets_dir() == package / "_assets"
    assert any(assets_dir().iterdir())
    assert targets_dir() == package / "_targets"
    assert (targets_dir() / "tflite-micro" / "target.toml").is_file()


def test_converters_are_found_by_entry_point() -> None:
    assert type(find_converter("tflite")).__module__ == "edge_sv_converters.tflite"


@pytest.mark.parametrize("net", ["resnet-nano", "ecapa-small"])
def test_bundled_nets_become_c(net: str, tmp_path: Path) -> None:
    result = run("edge-sv", "build", net, "--target", "cortex-m", "--out", str(tmp_path / net), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["bit_exact"]
    assert (tmp_path / net / "src" / "esv_model.c").is_file()


def test_nothing_is_reached_over_the_network() -> None:
    interfaces = {name for _, name in socket.if_nameindex()}
    assert interfaces <= {"lo"}


def test_does_not_run_as_root() -> None:
    assert os.getuid() != 0


def test_image_holds_no_pip_leftovers() -> None:
    assert not Path("/tmp/source").exists()
    assert shutil.which("edge-sv") == "/opt/edge-sv/bin/edge-sv"
