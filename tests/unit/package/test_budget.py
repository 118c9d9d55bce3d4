"""Budgets: sizes add up, what does not fit says by how much and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DoesNotFit
from edge_sv.package import DevicePackage, estimate_footprint, write_package
from edge_sv.package.target import load_target


def test_what_does_not_fit_says_by_how_much_and_why(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    footprint = estimate_footprint(tiny_artifact, load_target("tflite-micro"))
    assert footprint.ram_bytes is not None
    with pytest.raises(DoesNotFit) as caught:
        write_package(
            tiny_artifact,
            load_target("tflite-micro"),
            tmp_path / "out",
            max_flash=footprint.flash_bytes - 1234,
            max_ram=footprint.ram_bytes - 56,
        )
    assert "1,234 bytes of flash and 56 bytes of RAM too many" in caught.value.message
    heaviest = max(tiny_artifact.layers, key=lambda layer: layer.weight_bytes)
    widest = max(tiny_artifact.layers, key=lambda layer: int(np.prod(layer.output_shape)))
    assert caught.value.details["most weights"].startswith(f"{heaviest.name} {heaviest.weight_bytes:,}")
    assert caught.value.details["most activations"].startswith(widest.name)
    assert not (tmp_path / "out").exists()


def test_exactly_the_budget_fits_and_the_target_has_one_too(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    target = load_target("tflite-micro")
    footprint = estimate_footprint(tiny_artifact, target)
    assert footprint.ram_bytes is not None
    write_package(
        tiny_artifact, target, tmp_path / "fits", max_flash=footprint.flash_bytes, max_ram=footprint.ram_bytes
    )
    small = dataclasses.replace(target, ram_bytes=footprint.ram_bytes - 1)
    with pytest.raises(DoesNotFit, match="1 bytes of RAM"):
        write_package(tiny_artifact, small, tmp_path / "small", max_ram=footprint.ram_bytes + 1000)


def test_sizes_add_up(packages: dict[str, DevicePackage], tiny_artifact: ModelArtifact) -> None:
    sizes, arena = packages["tflite-micro"].manifest.sizes, packages["tflite-micro"].manifest.arena
    assert arena is not None
    assert sizes.flash_bytes == len(tiny_artifact.model) + 12 * 24 + sizes.code_bytes_estimate
    assert sizes.ram_bytes == arena.bytes + sizes.object_bytes + sizes.buffer_bytes
    assert arena.bytes == arena.measured_bytes + arena.scratch_bytes + arena.margin_bytes
    assert arena.bytes % 1024 == 0
    assert arena.margin_bytes >= arena.measured_bytes * 0.05
