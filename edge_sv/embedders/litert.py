"""TensorFlow Lite on phones and computers: LiteRT, and tflite-runtime on devices that only have that."""

from __future__ import annotations

import base64
import importlib
from types import ModuleType
from typing import Any

import numpy as np

from edge_sv.artifact import ModelArtifact
from edge_sv.embedders.base import IntegerEmbedder
from edge_sv.errors import DataError, ToolMissing, UsageError
from edge_sv.native_log import held_native_log
from edge_sv.tensor_format import Int8

# A .tflite of one operator, RELU on one float. Building an interpreter on it tells whether a runtime works at all:
# tflite-runtime beside numpy 2 imports, and fails here.
PROBE_MODEL = base64.b85decode(
    b"7ytkOR7OlQ000gE6aWwa3;+lK000C44gdfE5C8xG8~^|S&;S4c0{{R30RR912mk;81ONm81ONa40RR915C8xG3;+}W5C9AS2mk~C3;+NC5C8xG"
    b"JOBUyKmY&$L;wH)0RR915C8xG000UA3;+NC2mk~C3IG5A2mk;83;+NC0RR910RR910RR91000000RR910RR910RR91000000ssI2FaQ7m1ONa4"
    b"<p2Nw2mk;83;+NC0RR91c>n+a0RR910RR913;+xO2mk;8000C43;+NC2mk;83;+NC0RR91cmMzZ0RR910RR910RR915C8xG3;+xO3jhEB000C4"
    b"3;+NC6951J0000J"
)


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


def import_litert() -> ModuleType:
    """Return LiteRT's interpreter module, tried on a one-operator model.

    Raises:
        ToolMissing: it is not installed or does not work.
    """
    return _probe("ai_edge_litert.interpreter", "LiteRT", "pip install ai-edge-litert")


def import_tflite_runtime() -> ModuleType:
    """Return tflite-runtime's interpreter module, tried on a one-operator model.

    Raises:
        ToolMissing: it is not installed or does not work.
    """
    return _probe("tflite_runtime.interpreter", "tflite-runtime", "pip install tflite-runtime 'numpy<2'")


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


def _probe(module_name: str, label: str, command: str) -> ModuleType:
    try:
        with held_native_log():
            module = importlib.import_module(module_name)
            module.Interpreter(model_content=PROBE_MODEL).allocate_tensors()
    except ImportError as error:
        raise ToolMissing(f"{label} is not usable here", details={"got": str(error)}, hint=command) from error
    except (ValueError, RuntimeError, AttributeError) as error:
        details = {"got": str(error)}
        raise ToolMissing(f"{label} is installed but does not work", details=details, hint=command) from error
    return module
