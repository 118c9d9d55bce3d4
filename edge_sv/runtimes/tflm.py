"""TensorFlow Lite Micro on this computer: the interpreter that microcontrollers run, compiled for x86-64."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sv.errors import ToolMissing
from edge_sv.runtimes.interpreter import Details, Values

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
            hint="pip install 'edge_sv[micro]' (x86-64 Linux)",
        ) from error
    return tflite_micro.runtime


class TflmInterpreter:
    """One model in TensorFlow Lite Micro.

    An odd model may end the process: foreign ones are run by `tflm_process`.

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
        self._interpreter = runtime.Interpreter.from_bytes(
            model,
            arena_size=arena_bytes,
            intrepreter_config=config.kPreserveAllTensors if keep_tensors else config.kAllocationRecording,
        )

    @property
    def inputs(self) -> list[Details]:
        """Descriptions of the inputs."""
        return self._describe(self._interpreter.get_input_details)

    @property
    def outputs(self) -> list[Details]:
        """Descriptions of the outputs."""
        return self._describe(self._interpreter.get_output_details)

    def run(self, *inputs: Values) -> list[Values]:
        """Run the model, see `Interpreter.run`."""
        for number, values in enumerate(inputs):
            shape = tuple(self._interpreter.get_input_details(number)["shape"])
            self._interpreter.set_input(values.reshape(shape), number)
        self._interpreter.invoke()
        return self._every(lambda number: np.array(self._interpreter.get_output(number)))

    def invoke(self) -> None:
        """Run the model on inputs as they are, which tells whether it runs at all."""
        self._interpreter.invoke()

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor, see `Interpreter.tensor`."""
        return np.array(self._interpreter.GetTensor(int(index), 0)["tensor_data"])

    def _describe(self, details: Any) -> list[Details]:
        return self._every(details)

    @staticmethod
    def _every(get: Any) -> list[Any]:
        """Collect what a function gives for 0, 1, ... until there is no more: TFLM does not say how many."""
        found: list[Any] = []
        while True:
            try:
                found.append(get(len(found)))
            except (IndexError, RuntimeError, ValueError):
                return found
