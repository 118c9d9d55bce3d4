"""TensorFlow Lite Micro on this computer."""

from __future__ import annotations

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.embedders.litert import unusable_model
from edge_sv.runtimes.tflm import ARENA_BYTES, TflmInterpreter
from edge_sv.system.code_version import code_identity
from edge_sv.system.native_log import held_native_log


class TflmEmbedder(IntegerEmbedder):
    """Runs an artifact in TensorFlow Lite Micro.

    Args:
        artifact: the model.
        arena_bytes: memory for tensors.

    Raises:
        ToolMissing: tflite-micro is not installed.
        DataError: the model is damaged, does not fit the arena or uses an operator that TFLM lacks.
    """

    def __init__(self, artifact: ModelArtifact, *, arena_bytes: int = ARENA_BYTES) -> None:
        with held_native_log() as reported:
            try:
                interpreter = TflmInterpreter(artifact.model, arena_bytes=arena_bytes)
            except (ValueError, RuntimeError) as error:
                raise unusable_model(artifact, "TensorFlow Lite Micro", reported() or str(error)) from error
        super().__init__(artifact, interpreter)

    @property
    def sources_sha256(self) -> str:
        """See `Embedder.sources_sha256`."""
        return code_identity(__name__, libraries=("numpy", "tflite-micro"))
