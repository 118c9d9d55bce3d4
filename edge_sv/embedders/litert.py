"""TensorFlow Lite on phones and computers: LiteRT, and tflite-runtime on devices that only have that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.system.code_version import code_identity

DECODE = b"TFLM_DECODE"
"""The operator that expands lookup tables, which TensorFlow Lite Micro alone has."""


class LiteRTEmbedder(IntegerEmbedder):
    """Runs an artifact in LiteRT.

    Args:
        artifact: the model.
        reference_kernels: see `LiteRTInterpreter`.
        threads: for the default kernels.

    Raises:
        ToolMissing: ai-edge-litert is not installed.
        UsageError: the model's weights are lookup tables.
        DataError: the model is damaged or is not an int8 embedding net.
    """

    def __init__(self, artifact: ModelArtifact, *, reference_kernels: bool = False, threads: int = 1) -> None:
        self._reference_kernels = reference_kernels
        with _refusing(artifact, "LiteRT"):
            interpreter = LiteRTInterpreter(artifact.model, reference_kernels=reference_kernels, threads=threads)
            super().__init__(artifact, interpreter)

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        kernels = "reference" if self._reference_kernels else "default"
        return code_identity(__name__, libraries=("ai-edge-litert", "numpy"), options=[kernels])


class TfliteRuntimeEmbedder(IntegerEmbedder):
    """Runs an artifact in tflite-runtime, LiteRT's predecessor.

    Args:
        artifact: the model.
        threads: for the kernels.

    Raises:
        ToolMissing: tflite-runtime is not installed, or does not work beside the installed numpy.
        UsageError: the model's weights are lookup tables.
        DataError: the model is damaged or is not an int8 embedding net.
    """

    def __init__(self, artifact: ModelArtifact, *, threads: int = 1) -> None:
        with _refusing(artifact, "tflite-runtime"):
            super().__init__(artifact, LiteRTInterpreter(artifact.model, threads=threads, legacy=True))

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        return code_identity(__name__, libraries=("numpy", "tflite-runtime"))


@contextmanager
def _refusing(artifact: ModelArtifact, runtime: str) -> Iterator[None]:
    """Put into words what a runtime refuses."""
    refuse_lookup_tables(artifact, runtime)
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise unusable_model(artifact, runtime, str(error)) from error


def has_lookup_tables(artifact: ModelArtifact) -> bool:
    """Tell whether weights lie in the model as lookup tables: then it names the operator that expands them.

    The file is searched, not parsed: devices that have tflite-runtime alone lack the schema.
    """
    return DECODE in artifact.model


def refuse_lookup_tables(artifact: ModelArtifact, runtime: str) -> None:
    """Refuse a model that only TensorFlow Lite Micro can expand.

    Raises:
        UsageError: its weights are lookup tables.
    """
    if has_lookup_tables(artifact):
        raise UsageError(
            f"{runtime} cannot run '{artifact.name}': its weights are lookup tables (operator {DECODE.decode()})",
            hint="--runtime tflm, or build the package with --no-lut or for --target tflite",
        )


def unusable_model(artifact: ModelArtifact, runtime: str, reported: str) -> DataError:
    """Make the error for a model that an interpreter refuses, with the first line that it reported."""
    lines = reported.strip().splitlines() or ["no reason given"]
    return DataError(f"{runtime} cannot load model '{artifact.name}'", details={"got": lines[0]})
