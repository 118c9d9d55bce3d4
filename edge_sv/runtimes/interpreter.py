"""What every runtime on this computer can do with a converted model: run it, and some also show its inner tensors.

Each runtime has one class: `LiteRTInterpreter` (also of tflite-runtime), `TflmInterpreter`, and, for generated C,
`CompiledNet` and `CompiledSpeakerNet`. Nothing else constructs a runtime's own interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError

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
        """Run the model on one array for each input, reshaped to the input's shape; return a copy of each output.

        Raises:
            DataError: another number of arrays, or an array of another size or type.
        """


class TracingInterpreter(Interpreter, Protocol):
    """An interpreter that keeps every tensor of a run."""

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor, by its index in the model, as the last run left it."""


def run_each(interpreter: Interpreter, inputs: Iterable[Values]) -> Values:
    """Run a model of one input and one output on several arrays; return the flat outputs, (runs, values)."""
    return np.stack([interpreter.run(values)[0].ravel() for values in inputs])


def describe_tensor(
    index: int, shape: Sequence[int], dtype: npt.DTypeLike, grid: tuple[float, int] | None = None
) -> Details:
    """Describe a tensor in TensorFlow Lite's terms; `grid` is its scale and zero point."""
    scales, zero_points = ([], []) if grid is None else ([grid[0]], [grid[1]])
    return {
        "index": index,
        "shape": tuple(shape),
        "dtype": np.dtype(dtype).type,
        "quantization_parameters": {"scales": scales, "zero_points": zero_points},
    }


def fit_inputs(given: Sequence[Values], wanted: Sequence[Details]) -> list[Values]:
    """Reshape arrays to the shapes of a model's inputs.

    Raises:
        DataError: another number of arrays, or an array of another size or type.
    """
    if len(given) != len(wanted):
        raise DataError(f"the model takes {len(wanted)} inputs", details={"got": f"{len(given)} arrays"})
    fitted = []
    for number, (values, details) in enumerate(zip(given, wanted, strict=True)):
        shape, dtype = tuple(int(size) for size in details["shape"]), np.dtype(details["dtype"])
        if values.size != np.prod(shape, dtype=np.int64) or values.dtype != dtype:
            raise DataError(
                f"the model's input {number} is {shape} {dtype}", details={"got": f"{values.shape} {values.dtype}"}
            )
        fitted.append(np.ascontiguousarray(values).reshape(shape))
    return fitted
