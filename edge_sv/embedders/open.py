"""Find a model by name, folder or file, and open it in a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact
from edge_sv.artifacts.locate import ModelKind, locate
from edge_sv.embedders.base import Embedder
from edge_sv.embedders.compiled import CompiledEmbedder, compile_package
from edge_sv.embedders.keras import KerasEmbedder
from edge_sv.embedders.litert import LiteRTEmbedder, TfliteRuntimeEmbedder, has_lookup_tables
from edge_sv.embedders.tflm import TflmEmbedder
from edge_sv.errors import DataError, ToolMissing, unknown_name
from edge_sv.package import DevicePackage, read_package
from edge_sv.plugins.generator import DEFAULT_CODE
from edge_sv.recipes.recipe import DEFAULT_RECIPE

Runtime = Literal["c", "emulator", "keras", "tflite", "tflm"]
RUNTIMES: tuple[str, ...] = get_args(Runtime)


def open_artifact(model: Path | str) -> ModelArtifact:
    """Open a converted model.

    Args:
        model: a bundled net's name, a float net's folder that holds its converted form, an artifact's folder,
            a device package's folder, or a .tflite file with the manifest inside.

    Raises:
        UsageError: there is no such model.
        DataError: it is damaged, or was never converted.
    """
    located = locate(model)
    if located.kind is ModelKind.PACKAGE:
        return read_package(located.path).artifact
    if located.kind is ModelKind.TFLITE:
        raise DataError(
            f"{located.path} has no edge_sv manifest inside, so its front end is unknown",
            hint="build it with edge-sv build --target tflite, or give a package's folder",
        )
    located.require(ModelKind.FLOAT_NET, ModelKind.ARTIFACT)
    folder = located.artifact(DEFAULT_RECIPE)
    if folder is None:
        raise DataError(
            f"{located.path} holds a float net only", hint="edge-sv convert it first, or use --runtime keras"
        )
    return load_artifact(folder)


def scoring_artifact(model: Path | str, *, runtime: str | None = None) -> ModelArtifact | None:
    """Open the converted model whose scoring goes with an embedder; a float net in Keras uses its converted form's.

    Args:
        model: see `open_artifact`.
        runtime: `keras` allows a net that was never converted: then there is none.

    Raises:
        UsageError: there is no such model.
        DataError: it is damaged, or was never converted and the runtime is not `keras`.
    """
    try:
        return open_artifact(model)
    except DataError:
        if runtime != "keras":
            raise
        return None


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
    located = locate(model)
    if runtime in ("c", "emulator") and located.kind is ModelKind.PACKAGE:
        package = read_package(located.path)
        if package.manifest.generated is not None:
            return compile_package(package) if runtime == "c" else _emulated(package.artifact, package)
    if runtime != "keras":
        return artifact_embedder(open_artifact(model), runtime=runtime, threads=threads)
    return KerasEmbedder(located.require(ModelKind.FLOAT_NET, hint="--runtime tflite").path)


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
