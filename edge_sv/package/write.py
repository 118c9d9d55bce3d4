"""Write a device package: measure, check the budget, make all files in memory, move the folder into place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.package.budget import Footprint, check_budget
from edge_sv.package.kind import find_kind
from edge_sv.package.read import DevicePackage, package_files, read_package
from edge_sv.package.target import Target
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions
from edge_sv.system.files import write_folder


def estimate_footprint(artifact: ModelArtifact, target: Target, *, code: CodeOptions = DEFAULT_CODE) -> Footprint:
    """Say what a package would cost on its device; `code` is for kinds that generate code.

    Raises:
        UsageError: the target names a kind of package that does not exist.
        ToolMissing: tflite-micro is needed to measure the arena.
        DataError: the model cannot run there.
    """
    return find_kind(target.package).measure(artifact, code)


def write_package(
    artifact: ModelArtifact,
    target: Target,
    out: Path,
    *,
    max_flash: int | None = None,
    max_ram: int | None = None,
    check: Mapping[str, Any] | None = None,
    code: CodeOptions = DEFAULT_CODE,
) -> DevicePackage:
    """Write a package; same inputs, same bytes. An existing package is replaced; what else lies in its folder stays.

    Args:
        artifact: the model.
        target: what it is for.
        out: the package's folder.
        max_flash: bytes; the target's own limit holds as well.
        max_ram: bytes; likewise.
        check: what the check stage measured, for the manifest; JSON values.
        code: how to write the net, for kinds that generate code.

    Raises:
        DoesNotFit: the package is larger than a limit; nothing is written.
        DataError: the model cannot run there, or `out` cannot be written.
        UsageError: the target names a kind of package that does not exist.
        ToolMissing: tflite-micro is needed and not installed.
    """
    kind = find_kind(target.package)
    footprint = kind.measure(artifact, code)
    check_budget(artifact, target, footprint, max_flash=max_flash, max_ram=max_ram)
    files = kind.make_files(artifact, target, footprint, check, code)
    write_folder(out, files, own=package_files(out, new=files))
    return read_package(out)
