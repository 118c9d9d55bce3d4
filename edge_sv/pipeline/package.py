"""The last stage: a package written, its code compared with the model, and placed where it is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edge_sv.artifacts.locate import MANIFEST_FILE
from edge_sv.errors import DataError, UsageError
from edge_sv.package import DevicePackage, read_package, write_package
from edge_sv.package.kind import find_kind
from edge_sv.package.read import is_package, package_files
from edge_sv.package.target import template_folder
from edge_sv.pipeline.check import Checked, artifact_identity
from edge_sv.pipeline.check_generated_c import check_speaker_package
from edge_sv.pipeline.check_lookup_tables import check_tables
from edge_sv.pipeline.inputs import speech_inputs
from edge_sv.pipeline.request import BuildRequest
from edge_sv.pipeline.stage import Stage
from edge_sv.plugins.generator import find_generator
from edge_sv.plugins.table_writer import find_table_writer
from edge_sv.scoring.speech_sample import check_sample
from edge_sv.system.bundled import targets_dir
from edge_sv.system.files import write_folder
from edge_sv.system.stage_cache import folder_sha256

CODE = ("edge_sv.package.write", "edge_sv.pipeline.check_generated_c", "edge_sv.pipeline.check_lookup_tables")
LIBRARIES = ("ai-edge-litert", "flatbuffers", "jinja2", "numpy", "tflite-micro")


def package_stage(request: BuildRequest) -> Stage[Checked, DevicePackage]:
    """Make the stage: generated code and lookup tables are packaged only if they compute what the model computes."""
    speech = speech_inputs(request.conversion.data)
    kind = find_kind(request.target.package)

    def make(checked: Checked, folder: Path, _scratch: Path) -> None:
        package = write_package(
            checked.artifact,
            request.target,
            folder / "package",
            max_flash=request.limits.flash,
            max_ram=request.limits.ram,
            check=checked.report.to_dict(),
            code=request.code,
        )
        if checked.report.made == "recorded":
            return
        if package.manifest.generated is not None:
            check_speaker_package(package, check_sample(request.conversion.data))
        if package.manifest.lookup is not None and checked.report.made == "full":
            check_tables(package, checked.artifact, check_sample(request.conversion.data))

    return Stage(
        name="package",
        intent=f"for {request.target.name}",
        code=(*CODE, *(type(plugin).__module__ for plugin in (kind, find_generator(), find_table_writer()))),
        libraries=LIBRARIES,
        inputs=lambda checked: [
            artifact_identity(checked.artifact),
            checked.report.to_dict(),
            speech(),
            package_inputs(request),
        ],
        make=make,
        read=lambda _, folder: read_kept_package(folder),
        note=lambda package: str(package.path),
        place=place_at(request.out),
    )


def package_inputs(request: BuildRequest) -> list[object]:
    """Describe for a stage's key what every package depends on beside its model."""
    target = {**request.target.to_dict(), "templates": None}  # by their content, wherever they lie
    templates = folder_sha256(template_folder(request.target, request.target.package))
    return [target, templates, folder_sha256(targets_dir()), asdict(request.limits), asdict(request.code)]


def read_kept_package(folder: Path) -> DevicePackage:
    """Read the package that a stage has made in its folder."""
    return read_package(folder / "package")


def place_at(out: Path) -> Callable[[DevicePackage], tuple[DevicePackage, bool]]:
    """Return a function that copies a package to its place, and tells whether it was not there already.

    Raises:
        DataError: `out` is not writable or the disk is full.
    """

    def place(package: DevicePackage) -> tuple[DevicePackage, bool]:
        if (there := _find_same(out, package)) is not None:
            return there, False
        files = (*(package.manifest.files or ()), MANIFEST_FILE)
        contents = {name: (package.path / name).read_bytes() for name in files}
        write_folder(out, contents, own=package_files(out, new=files))
        return read_package(out), True

    return place


def _find_same(out: Path, package: DevicePackage) -> DevicePackage | None:
    """Return the package that lies in a folder if it is whole and the same."""
    try:
        there = read_package(out) if out.is_dir() else None
    except DataError:
        return None
    return there if there is not None and there.manifest == package.manifest else None


def refuse_foreign_folder(out: Path) -> None:
    """Refuse to replace what is not a package.

    Raises:
        UsageError: `out` is a file, or a folder with other things in it.
    """
    if not out.exists() or is_package(out):
        return
    if not out.is_dir() or any(out.iterdir()):
        raise UsageError(f"{out} exists and is not a package", hint="give --out a new or empty folder")
