"""TensorFlow Lite on phones and computers: LiteRT, and tflite-runtime on devices that only have that."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.errors import DataError, UsageError
from edge_sv.runtimes.litert import import_litert, import_tflite_runtime
from edge_sv.system.array_types import Int8
from edge_sv.system.native_log import held_native_log

DECODE = b"TFLM_DECODE"
"""The operator that expands lookup tables, which TensorFlow Lite Micro alone has."""


class _TfliteEmbedder(IntegerEmbedder):
    """Shared by both runtimes, whose Python interfaces are the same."""

    def __init__(self, artifact: ModelArtifact, interpreter: Any) -> None:
        super().__init__(artifact)
        self._interpreter = interpreter
        with held_native_log():
            self._interpreter.allocate_tensors()
        (input_details,), (output_details,) = interpreter.get_input_details(), interpreter.get_output_details()
        self._input_index, self._output_index = input_details["index"], output_details["index"]
        self._set_formats(input_details, output_details)

    def invoke(self, segment: Int8) -> Int8:
        """Run the net, see `IntegerEmbedder.invoke`."""
        self._interpreter.set_tensor(self._input_index, segment.reshape(self.input.shape))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output_index), np.int8).reshape(self.embedding_dim)


class LiteRTEmbedder(_TfliteEmbedder):
    """Runs an artifact in LiteRT.

    Args:
        artifact: the model.
        reference_kernels: use the plain kernels, which equal TensorFlow Lite Micro bit for bit; the default kernels
            are about ten times faster and differ by the last bit here and there.
        threads: for the default kernels.

    Raises:
        ToolMissing: ai-edge-litert is not installed.
        UsageError: the model's weights are lookup tables.
        DataError: the model is damaged or is not an int8 embedding net.
    """

    def __init__(self, artifact: ModelArtifact, *, reference_kernels: bool = False, threads: int = 1) -> None:
        refuse_lookup_tables(artifact, "LiteRT")
        module = import_litert()
        kinds = module.OpResolverType
        resolver = kinds.BUILTIN_REF if reference_kernels else kinds.AUTO
        try:
            interpreter = module.Interpreter(
                model_content=artifact.model, num_threads=threads, experimental_op_resolver_type=resolver
            )
            super().__init__(artifact, interpreter)
        except (ValueError, RuntimeError) as error:
            raise unusable_model(artifact, "LiteRT", str(error)) from error


class TfliteRuntimeEmbedder(_TfliteEmbedder):
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
        refuse_lookup_tables(artifact, "tflite-runtime")
        module = import_tflite_runtime()
        try:
            super().__init__(artifact, module.Interpreter(model_content=artifact.model, num_threads=threads))
        except (ValueError, RuntimeError) as error:
            raise unusable_model(artifact, "tflite-runtime", str(error)) from error


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
