"""TensorFlow Lite Micro on this computer: the interpreter that microcontrollers run, compiled for x86-64."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_sv.errors import ToolMissing
from edge_sv.runtimes.interpreter import Details, Values, fit_inputs
from edge_sv.system.native_log import held_native_log

ARENA_BYTES = 64 << 20
"""Room for any net; what a device needs is measured by `tflm_arena`."""


def import_tflm() -> Any:
    """Return the module of TensorFlow Lite Micro's interpreter.

    Raises:
        ToolMissing: tflite-micro is not installed.
    """
    try:
        import tflite_micro
    except ImportError as error:
        raise ToolMissing(
            "tflite-micro is not usable here",
            details={"got": str(error)},
            hint="pip install 'edge-sv[micro]' (x86-64 Linux)",
        ) from error
    return tflite_micro.runtime


class TflmInterpreter:
    """One model in TensorFlow Lite Micro.

    It is a `TracingInterpreter` when it keeps its tensors. A malformed model may end the process: models of unknown
    origin are run by `tflm_process`.

    Args:
        model: a .tflite file.
        arena_bytes: memory for tensors.
        keep_tensors: let no tensor take another's memory, so that all can be read after a run.

    Raises:
        ToolMissing: tflite-micro is not installed.
        ValueError, RuntimeError: TensorFlow Lite Micro refuses the model; its reason goes to the native log.
    """

    def __init__(self, model: bytes, *, arena_bytes: int = ARENA_BYTES, keep_tensors: bool = False) -> None:
        runtime = import_tflm()
        config = runtime.InterpreterConfig
        try:
            self._interpreter = runtime.Interpreter.from_bytes(
                model,
                arena_size=arena_bytes,
                intrepreter_config=config.kPreserveAllTensors if keep_tensors else config.kAllocationRecording,
            )
        except (struct.error, AttributeError, IndexError, TypeError) as error:  # it reads the file in Python first
            raise ValueError(f"the model is damaged: {error}") from error
        self.inputs = _describe_all(self._interpreter.get_input_details)
        self.outputs = _describe_all(self._interpreter.get_output_details)

    def run(self, *inputs: Values) -> list[Values]:
        """Run the model, see `Interpreter.run`."""
        for number, values in enumerate(fit_inputs(inputs, self.inputs)):
            self._interpreter.set_input(values, number)
        self._interpreter.invoke()
        return [np.array(self._interpreter.get_output(number)) for number in range(len(self.outputs))]

    def invoke(self) -> None:
        """Run the model on inputs as they are, which tells whether it runs at all."""
        self._interpreter.invoke()

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor, see `TracingInterpreter.tensor`."""
        return np.array(self._interpreter.GetTensor(int(index), 0)["tensor_data"])


def _describe_all(describe: Callable[[int], Details]) -> list[Details]:
    """Describe inputs or outputs 0, 1, ... until there is no more; TensorFlow Lite Micro does not say how many."""
    found: list[Details] = []
    with held_native_log():  # the end of the list is reported there as an error
        while True:
            try:
                found.append(describe(len(found)))
            except IndexError:
                return found
