"""What all packages have in common: the manifest's parts, and the list of files that seals it."""

from __future__ import annotations

import dataclasses
import json

from edge_sv import __version__
from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.package import DevicePackage
from edge_sv.package.budget import Footprint
from edge_sv.package.describe import (
    COHORT_FILE,
    banner,
    common_files,
    describe,
    describe_lookup,
    describe_sizes,
    license_files,
    seal,
)
from edge_sv.package.manifest import Manifest
from edge_sv.package.target import load_target
from edge_sv.runtimes.tflm_arena import make_arena
from edge_sv.system.files import sha256_bytes
from edge_sv.tflite.flatbuffer import parse_model
from edge_sv.tflite.tflm_operators import tensor_formats, used_operators

FOOTPRINT = Footprint(model_bytes=100, cohort_bytes=20, code_bytes=3000, object_bytes=64, buffer_bytes=32)


def manifest_of(artifact: ModelArtifact, footprint: Footprint = FOOTPRINT) -> Manifest:
    model = parse_model(artifact.model)
    formats, kinds, target = tensor_formats(model), used_operators(model), load_target("nrf52840")
    return describe(artifact, target, footprint, formats=formats, operators=kinds, golden=(), check={"a": (1, 2)})


def test_a_manifest_states_model_target_and_sizes(tiny_artifact: ModelArtifact) -> None:
    manifest = manifest_of(tiny_artifact)
    assert (manifest.target.name, manifest.target.cpu, manifest.target.fpu) == ("nrf52840", "cortex-m4", True)
    assert (manifest.model.sha256, manifest.model.bytes) == (tiny_artifact.sha256, len(tiny_artifact.model))
    assert manifest.check == {"a": [1, 2]}, "JSON values"
    assert manifest.cohort is not None and manifest.cohort.num_speakers == 12
    assert manifest.arena is None and manifest.files is None and manifest.lookup is None


def test_the_arena_is_stated_where_there_is_one(tiny_artifact: ModelArtifact) -> None:
    arena = make_arena(10_000)
    part = manifest_of(tiny_artifact, dataclasses.replace(FOOTPRINT, arena=arena)).arena
    assert part is not None and (part.bytes, part.measured_bytes) == (arena.bytes, 10_000)


def test_sizes() -> None:
    sizes = describe_sizes(dataclasses.replace(FOOTPRINT, state_bytes=1000))
    assert (sizes.flash_bytes, sizes.ram_bytes, sizes.code_bytes_estimate) == (3120, 1096, 3000)
    assert describe_sizes(FOOTPRINT).ram_bytes is None, "without an arena nobody knows"


def test_a_sealed_package_lists_every_other_file(tiny_artifact: ModelArtifact) -> None:
    sealed = seal(manifest_of(tiny_artifact), {"b": b"2", "a": b"1"})
    files = json.loads(sealed["manifest.json"])["files"]
    assert list(files.items()) == [("a", sha256_bytes(b"1")), ("b", sha256_bytes(b"2"))]
    assert sealed["a"] == b"1" and len(sealed) == 3


def test_files_of_every_package(tiny_artifact: ModelArtifact, packages: dict[str, DevicePackage]) -> None:
    files = common_files(tiny_artifact, ())
    assert set(files) == {*license_files(), COHORT_FILE} and len(license_files()) == 2
    for package in packages.values():
        assert all((package.path / name).read_bytes() == data for name, data in files.items())
    assert COHORT_FILE not in common_files(dataclasses.replace(tiny_artifact, cohort=None), ())


def test_a_model_without_tables_has_no_part_about_them(tiny_artifact: ModelArtifact) -> None:
    assert describe_lookup(tiny_artifact, FOOTPRINT) is None


def test_the_banner_tells_tool_model_and_recipe(tiny_artifact: ModelArtifact) -> None:
    line = banner(tiny_artifact)
    assert __version__ in line and tiny_artifact.sha256 in line and tiny_artifact.recipe in line and "\n" not in line
