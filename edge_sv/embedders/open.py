"""Find a model by name, folder or file, and open it in a runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from edge_sv.artifacts.artifact import ARTIFACT_FILE, ModelArtifact, load_artifact
from edge_sv.embedders.base import Embedder
from edge_sv.embedders.compiled import CompiledEmbedder, compile_package
from edge_sv.embedders.keras import KerasEmbedder
from edge_sv.embedders.litert import LiteRTEmbedder, TfliteRuntimeEmbedder, has_lookup_tables
from edge_sv.embedders.tflm import TflmEmbedder
from edge_sv.errors import DataError, ToolMissing, UsageError, unknown_name
from edge_sv.package import DevicePackage, read_package
from edge_sv.package.manifest import MANIFEST_FILE
from edge_sv.plugins.generator import DEFAULT_CODE
from edge_sv.recipes.recipe import DEFAULT_RECIPE
from edge_sv.system.bundled import assets_dir

Runtime = Literal["c", "emulator", "keras", "tflite", "tflm"]
RUNTIMES: tuple[str, ...] = get_args(Runtime)


def asset_names() -> list[str]:
    """Return the names of the bundled nets."""
    folder = assets_dir()
    return sorted(path.parent.name for path in folder.glob("*/net.json")) if folder.is_dir() else []


def find_model(model: Path | str) -> Path:
    """Return the folder or file of a model given by path, as a bundled net's name, or as NET/RECIPE for a form of it.

    Raises:
        UsageError: it is neither; the message has the nearest name.
    """
    path = Path(model)
    if path.exists():
        return path
    bundled = assets_dir() / path
    if ".." not in path.parts and any((bundled / name).is_file() for name in ("net.json", ARTIFACT_FILE)):
        return bundled
    if os.sep in str(model) or path.suffix:
        raise UsageError(f"no such model: {model}", hint="give a bundled net's name, a folder or a .tflite file")
    raise unknown_name("model", str(model), asset_names())


def open_artifact(model: Path | str) -> ModelArtifact:
    """Open a converted model.

    Args:
        model: a bundled net's name, a float net's folder that holds its converted form, an artifact's folder,
            a device package's folder, or a .tflite file with the manifest inside.

    Raises:
        UsageError: there is no such model.
        DataError: it is damaged, or was never converted.
    """
    path = find_model(model)
    if (path / ARTIFACT_FILE).is_file():
        return load_artifact(path)
    if path.is_file() or (path / MANIFEST_FILE).is_file():
        return read_package(path).artifact
    if (path / DEFAULT_RECIPE / ARTIFACT_FILE).is_file():
        return load_artifact(path / DEFAULT_RECIPE)
    if (path / "net.json").is_file():
        raise DataError(f"{path} holds a float net only", hint="edge-sv convert it first, or use --runtime keras")
    raise DataError(f"{path} is not a model", details={"missing": f"net.json, {ARTIFACT_FILE} or {MANIFEST_FILE}"})


def open_embedder(model: Path | str, *, runtime: str | None = None, threads: int = 1) -> Embedder:
    """Open a model in a runtime.

    Args:
        model: see `open_artifact`; for `keras` a bundled net's name or a float net's folder.
        runtime: `c`, `emulator`, `keras`, `tflite` or `tflm`; None: see `artifact_embedder`.
        threads: for tflite.

    Raises:
        UsageError: unknown model or runtime, or the runtime cannot run this kind of model.
        DataError: the model is damaged.
        ToolMissing: the runtime is not installed.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise unknown_name("runtime", runtime, RUNTIMES)
    if runtime in ("c", "emulator") and (find_model(model) / MANIFEST_FILE).is_file():
        package = read_package(find_model(model))
        if package.manifest.generated is not None:
            return compile_package(package) if runtime == "c" else _emulated(package.artifact, package)
    if runtime != "keras":
        return artifact_embedder(open_artifact(model), runtime=runtime, threads=threads)
    path = find_model(model)
    if not (path / "net.json").is_file():
        raise UsageError(f"{model} is a converted model; Keras runs float nets", hint="--runtime tflite")
    return KerasEmbedder(path)


def default_runtime(artifact: ModelArtifact) -> Runtime:
    """Return `tflite`, or `tflm` for a model with lookup tables, which nothing else can run."""
    return "tflm" if has_lookup_tables(artifact) else "tflite"


def artifact_embedder(artifact: ModelArtifact, *, runtime: str | None = None, threads: int = 1) -> Embedder:
    """Open an artifact in `tflite` (LiteRT; tflite-runtime where only that works), in `tflm`, or as generated code.

    Without a runtime it is opened in `default_runtime`.
    Generated code runs on this computer (`c`) or on an emulated Cortex-M4F (`emulator`).
    """
    if (runtime or default_runtime(artifact)) == "tflm":
        return TflmEmbedder(artifact)
    if runtime == "emulator":
        return _emulated(artifact)
    if runtime == "c":
        from edge_sv.package.cortex_m import source_files

        return CompiledEmbedder(artifact, source_files(artifact, DEFAULT_CODE))
    try:
        return LiteRTEmbedder(artifact, threads=threads)
    except ToolMissing as missing:
        try:
            return TfliteRuntimeEmbedder(artifact, threads=threads)
        except ToolMissing as also_missing:
            raise ToolMissing(
                "no TensorFlow Lite runtime works here",
                details={"LiteRT": missing.details["got"], "tflite-runtime": also_missing.details["got"]},
                hint="pip install ai-edge-litert",
            ) from also_missing


def _emulated(artifact: ModelArtifact, package: DevicePackage | None = None) -> Embedder:
    from edge_sv.embedders.emulated import EmulatedEmbedder

    return EmulatedEmbedder(artifact, package=package)
