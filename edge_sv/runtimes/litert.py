"""LiteRT's interpreter, and tflite-runtime's on devices that only have that."""

from __future__ import annotations

import base64
import importlib
from types import ModuleType
from typing import Any

import numpy as np

from edge_sv.errors import ToolMissing
from edge_sv.runtimes.interpreter import Details, Values, fit_inputs
from edge_sv.system.native_log import held_native_log

# A .tflite of one operator, RELU on one float. Building an interpreter on it tells whether a runtime works at all:
# tflite-runtime beside numpy 2 imports, and fails here.
PROBE_MODEL = base64.b85decode(
    b"7ytkOR7OlQ000gE6aWwa3;+lK000C44gdfE5C8xG8~^|S&;S4c0{{R30RR912mk;81ONm81ONa40RR915C8xG3;+}W5C9AS2mk~C3;+NC5C8xG"
    b"JOBUyKmY&$L;wH)0RR915C8xG000UA3;+NC2mk~C3IG5A2mk;83;+NC0RR910RR910RR91000000RR910RR910RR91000000ssI2FaQ7m1ONa4"
    b"<p2Nw2mk;83;+NC0RR91c>n+a0RR910RR913;+xO2mk;8000C43;+NC2mk;83;+NC0RR91cmMzZ0RR910RR910RR915C8xG3;+xO3jhEB000C4"
    b"3;+NC6951J0000J"
)


class LiteRTInterpreter:
    """One model in LiteRT, or in tflite-runtime, whose interface is the same.

    It is a `TracingInterpreter` when it keeps its tensors.

    Args:
        model: a .tflite file.
        reference_kernels: use the plain kernels, which equal TensorFlow Lite Micro bit for bit; the default kernels
            are about ten times faster and differ by the last bit here and there.
        threads: for the default kernels.
        keep_tensors: let no tensor take another's memory, so that all can be read after a run.
        legacy: run in tflite-runtime.

    Raises:
        ToolMissing: the runtime is not installed or does not work.
        ValueError, RuntimeError: the runtime refuses the model.
    """

    def __init__(
        self,
        model: bytes,
        *,
        reference_kernels: bool = False,
        threads: int = 1,
        keep_tensors: bool = False,
        legacy: bool = False,
    ) -> None:
        module = import_tflite_runtime() if legacy else import_litert()
        options: dict[str, Any] = {"experimental_preserve_all_tensors": True} if keep_tensors else {}
        if reference_kernels:
            options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_REF
        self._interpreter = module.Interpreter(model_content=model, num_threads=threads, **options)
        with held_native_log():
            self._interpreter.allocate_tensors()
        self.inputs: list[Details] = self._interpreter.get_input_details()
        self.outputs: list[Details] = self._interpreter.get_output_details()

    def run(self, *inputs: Values) -> list[Values]:
        """Run the model, see `Interpreter.run`."""
        for details, values in zip(self.inputs, fit_inputs(inputs, self.inputs), strict=True):
            self._interpreter.set_tensor(details["index"], values)
        self._interpreter.invoke()
        return [self.tensor(details["index"]) for details in self.outputs]

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor, see `TracingInterpreter.tensor`."""
        return np.asarray(self._interpreter.get_tensor(index))


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
