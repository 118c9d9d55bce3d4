"""Kinds of packages: found by name, open about what they hold, and about what their templates may use."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import UsageError
from edge_sv.package import cortex_m, tflite, tflite_micro, write_package
from edge_sv.package.budget import Footprint
from edge_sv.package.kind import PackageKind, find_kind
from edge_sv.package.target import Target, load_target
from edge_sv.plugins.generator import find_generator
from tests.unit.package.conftest import TARGETS

REPOSITORY = Path(__file__).resolve().parents[3]
MODULES = {"cortex-m": cortex_m, "tflite": tflite, "tflite-micro": tflite_micro}


@pytest.mark.parametrize(
    ("name", "weights", "activations", "runs_in_tflm"),
    [
        ("cortex-m", (1, 2, 3, 4, 8), (8,), True),
        ("tflite-micro", None, (8, 16), True),
        ("tflite", None, (8, 16), False),
    ],
)
def test_what_a_kind_holds(name: str, weights: object, activations: object, runs_in_tflm: bool) -> None:
    kind = find_kind(name)
    assert (kind.weight_bits, kind.activation_bits, kind.runs_in_tflm) == (weights, activations, runs_in_tflm)


def test_the_widths_of_generated_code_are_the_generator_s() -> None:
    kind, generator = find_kind("cortex-m"), find_generator()
    assert kind.weight_bits == generator.weight_costs.bit_widths
    assert kind.activation_bits == generator.activation_bits


def test_a_class_of_one_s_own_needs_two_methods() -> None:
    class Mine(PackageKind):
        def measure(self, artifact: Any, code: Any) -> Footprint:
            return Footprint(model_bytes=1)

        def make_files(self, *_: Any) -> dict[str, bytes]:
            return {}

    assert (Mine().weight_bits, Mine().activation_bits, Mine().runs_in_tflm) == (None, (8, 16), True)


def test_unknown_kind_of_package(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    target = Target(name="x", description="x", package="tflite-macro", converter="tflite")
    with pytest.raises(UsageError, match="did you mean 'tflite-micro'"):
        write_package(tiny_artifact, target, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", TARGETS)
def test_what_templates_may_use_is_documented(
    name: str, tiny_artifact: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    used: set[str] = set()
    render = MODULES[name].render_folder

    def note(folder: Path, context: Mapping[str, Any]) -> dict[str, bytes]:
        used.update(context)
        return dict(render(folder, context))

    monkeypatch.setattr(MODULES[name], "render_folder", note)
    write_package(tiny_artifact, load_target(name), tmp_path / "out")
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", (REPOSITORY / "targets" / "README.md").read_text(), re.M)
    documented = {variable for variable, kinds in rows if kinds == "all" or f"`{name}`" in kinds}
    assert used == documented


@pytest.mark.parametrize("name", TARGETS)
def test_templates_of_one_s_own_take_the_place_of_the_kind_s(
    name: str, tiny_artifact: ModelArtifact, tmp_path: Path
) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "about.txt.j2").write_text("{{ manifest.model.name }} for {{ manifest.target.name }}")
    target = dataclasses.replace(load_target(name), name="mine", templates=str(tmp_path / "templates"))
    package = write_package(tiny_artifact, target, tmp_path / "out")
    assert (package.path / "about.txt").read_text() == "tiny for mine\n"
    assert not (package.path / "README.md").exists()
    assert package.manifest.files is not None and "about.txt" in package.manifest.files
