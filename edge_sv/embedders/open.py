"""Find a model by name, folder or file, and open it in a runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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

KERAS = "keras"
"""The runtime of float nets; the others run converted models."""


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
        if runtime != KERAS:
            raise
        return None


def open_embedder(model: Path | str, *, runtime: str | None = None, threads: int = 1) -> Embedder:
    """Open a model in a runtime.

    Args:
        model: see `open_artifact`; for KERAS a bundled net's name or a float net's folder.
        runtime: one of RUNTIMES; None: see `artifact_embedder`.
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
            return compile_package(package) if runtime == "c" else _emulated(package.artifact, package=package)
    if runtime != KERAS:
        return artifact_embedder(open_artifact(model), runtime=runtime, threads=threads)
    return KerasEmbedder(located.require(ModelKind.FLOAT_NET, hint="--runtime tflite").path)


def default_runtime(artifact: ModelArtifact) -> str:
    """Return `tflite`, or `tflm` for a model with lookup tables, which nothing else can run."""
    return "tflm" if has_lookup_tables(artifact) else "tflite"


def artifact_embedder(artifact: ModelArtifact, *, runtime: str | None = None, threads: int = 1) -> Embedder:
    """Open an artifact in a runtime.

    Args:
        artifact: the model.
        runtime: a key of ARTIFACT_RUNTIMES; None: `default_runtime`.
        threads: for tflite.

    Raises:
        UsageError: unknown runtime, or it cannot run this kind of model.
        DataError: the model is damaged.
        ToolMissing: the runtime is not installed.
    """
    name = runtime or default_runtime(artifact)
    if name not in ARTIFACT_RUNTIMES:
        raise unknown_name("runtime of converted models", name, ARTIFACT_RUNTIMES)
    return ARTIFACT_RUNTIMES[name](artifact, threads)


def _compiled(artifact: ModelArtifact, _threads: int) -> Embedder:
    """Open an artifact as generated C, compiled for this computer."""
    from edge_sv.package.cortex_m import source_files

    return CompiledEmbedder(artifact, source_files(artifact, DEFAULT_CODE))


def _emulated(artifact: ModelArtifact, _threads: int = 1, *, package: DevicePackage | None = None) -> Embedder:
    """Open an artifact as generated C on an emulated Cortex-M4F."""
    from edge_sv.embedders.emulated import EmulatedEmbedder

    return EmulatedEmbedder(artifact, package=package)


def _tflite(artifact: ModelArtifact, threads: int) -> Embedder:
    """Open an artifact in LiteRT; in tflite-runtime where only that works."""
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


def _tflm(artifact: ModelArtifact, _threads: int) -> Embedder:
    """Open an artifact in TensorFlow Lite Micro's interpreter."""
    return TflmEmbedder(artifact)


ARTIFACT_RUNTIMES: dict[str, Callable[[ModelArtifact, int], Embedder]] = {
    "c": _compiled,
    "emulator": _emulated,
    "tflite": _tflite,
    "tflm": _tflm,
}
"""Runtime -> what opens an artifact in it, with so many threads where it has any; a runtime is one entry here."""
RUNTIMES = tuple(sorted([*ARTIFACT_RUNTIMES, KERAS]))
