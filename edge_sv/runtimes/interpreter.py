"""What every runtime on this computer can do with a converted model: run it, and show what it computes on the way.

There is one class for each runtime: `LiteRTInterpreter` (also of tflite-runtime), `TflmInterpreter`, `CompiledNet`.
Nothing else constructs a runtime's own interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Details = Mapping[str, Any]
"""A tensor's description as TensorFlow Lite gives it: `index`, `shape`, `dtype`, `quantization_parameters`."""


class Interpreter(Protocol):
    """Runs one model. Use one interpreter from one thread at a time."""

    @property
    def inputs(self) -> Sequence[Details]:
        """Descriptions of the inputs."""

    @property
    def outputs(self) -> Sequence[Details]:
        """Descriptions of the outputs."""

    def run(self, *inputs: Values) -> list[Values]:
        """Run the model on one array for each input, reshaped to the input's shape; return a copy of each output."""

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor as the last run left it; all of them only where the interpreter keeps them."""


def run_each(interpreter: Interpreter, inputs: Sequence[Values]) -> Values:
    """Run a model of one input and one output on several arrays; return the flat outputs, (len(inputs), values)."""
    return np.stack([interpreter.run(values)[0].ravel() for values in inputs])
