"""TensorFlow Lite Micro on this computer: the interpreter that microcontrollers run, compiled for the host."""

from __future__ import annotations

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.embedders.litert import unusable_model
from edge_sv.runtimes.tflm_arena import import_tflm
from edge_sv.system.array_types import Int8
from edge_sv.system.native_log import held_native_log

ARENA_BYTES = 16 << 20
"""Room for any net of this project; what a device needs is measured when it is packaged."""


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
        runtime = import_tflm()
        super().__init__(artifact)
        with held_native_log() as reported:
            try:
                self._interpreter = runtime.Interpreter.from_bytes(artifact.model, arena_size=arena_bytes)
            except (ValueError, RuntimeError) as error:
                raise unusable_model(artifact, "TensorFlow Lite Micro", reported() or str(error)) from error
        self._set_formats(self._interpreter.get_input_details(0), self._interpreter.get_output_details(0))

    def invoke(self, segment: Int8) -> Int8:
        """Run the net, see `IntegerEmbedder.invoke`."""
        self._interpreter.set_input(segment.reshape(self.input.shape), 0)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_output(0), np.int8).reshape(self.embedding_dim)
