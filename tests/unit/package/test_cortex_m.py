"""The `cortex-m` package: the code of the runtime, what it says of the generated code, what is left out."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.cortex_m import SMALL_SOURCES, CortexMPackage, device_sources, generate, source_files
from edge_sv.package.device_memory import memory_bytes
from edge_sv.package.target import load_target
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions
from edge_sv.system.bundled import targets_dir


def test_the_runtime_is_the_only_copy_of_the_portable_c(packages: dict[str, DevicePackage]) -> None:
    sources = device_sources()
    common = targets_dir() / "common"
    assert set(sources) == {
        path.relative_to(common).as_posix() for kind in ("include", "src") for path in (common / kind).iterdir()
    }
    for name, data in sources.items():
        assert (packages["cortex-m"].path / name).read_bytes() == data


def test_sources_for_size_are_there_and_both_builds_have_them(packages: dict[str, DevicePackage]) -> None:
    folder = packages["cortex-m"].path
    for name in SMALL_SOURCES:
        assert (folder / "src" / f"{name}.c").is_file()
        assert all(re.search(rf"\b{name}\b", (folder / build).read_text()) for build in ("Makefile", "CMakeLists.txt"))


def test_every_name_has_the_prefix(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    code = CodeOptions(prefix="door")
    package = write_package(tiny_artifact, load_target("cortex-m"), tmp_path / "out", code=code)
    names = {path.name for path in package.path.rglob("*") if path.is_file()}
    assert {"door.c", "door.h", "door_features.c", "door_config.h"} <= names
    assert not [name for name in names if name.startswith("esv_model") or "PREFIX" in name]
    assert package.manifest.generated is not None and package.manifest.generated.prefix == "door"
    with pytest.raises(UsageError, match="cannot begin the names"):
        generate(tiny_artifact, CodeOptions(prefix="9lives"))


def test_the_manifest_tells_of_the_generated_code(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact
) -> None:
    part, net = packages["cortex-m"].manifest.generated, generate(tiny_artifact, DEFAULT_CODE)
    assert part is not None
    assert (part.generator, part.plan, part.kernels) == ("c_source", net.plan, net.kernels)
    assert sum(constant.bytes for constant in part.constants) == net.constant_bytes
    assert packages["cortex-m"].manifest.sizes.model_bytes == net.constant_bytes
    assert [plan.name for plan in part.plans] == ["static", "streaming"]


def test_ram_is_all_that_the_device_needs(tiny_artifact: ModelArtifact) -> None:
    footprint = CortexMPackage().measure(tiny_artifact, DEFAULT_CODE)
    assert footprint.ram_bytes == memory_bytes(
        tiny_artifact.features,
        state_bytes=generate(tiny_artifact, DEFAULT_CODE).ram_bytes,
        frames=tiny_artifact.segments.frames,
        embedding_dim=tiny_artifact.embedding_dim,
        top_n=5,
    )
    cosine = dataclasses.replace(tiny_artifact, scoring=None, cohort=None)
    smaller = CortexMPackage().measure(cosine, DEFAULT_CODE)
    assert smaller.cohort_bytes == 0 and (smaller.ram_bytes or 0) <= (footprint.ram_bytes or 0)


def test_sources_for_a_program_are_those_of_the_package(
    packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact
) -> None:
    for name, data in source_files(tiny_artifact, DEFAULT_CODE).items():
        assert name.split("/")[0] in ("include", "src")
        assert (packages["cortex-m"].path / name).read_bytes() == data, name
