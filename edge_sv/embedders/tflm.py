"""TensorFlow Lite Micro on this computer: the interpreter that microcontrollers run, compiled for the host."""

from __future__ import annotations

import numpy as np

from edge_sv.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.embedders.litert import unusable_model
from edge_sv.errors import ToolMissing
from edge_sv.tensor_format import Int8

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
        try:
            import tflite_micro
        except ImportError as error:
            raise ToolMissing(
                "tflite-micro is not usable here",
                details={"got": str(error)},
                hint="pip install 'edge_sv[micro]' (x86-64 Linux)",
            ) from error
        super().__init__(artifact)
        try:
            self._interpreter = tflite_micro.runtime.Interpreter.from_bytes(artifact.model, arena_size=arena_bytes)
            self._set_formats(self._interpreter.get_input_details(0), self._interpreter.get_output_details(0))
        except (ValueError, RuntimeError) as error:
            raise unusable_model(artifact, "TensorFlow Lite Micro", error) from error

    def invoke(self, segment: Int8) -> Int8:
        """Run the net, see `IntegerEmbedder.invoke`."""
        self._interpreter.set_input(segment.reshape(self.input.shape), 0)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_output(0), np.int8).reshape(self.embedding_dim)
