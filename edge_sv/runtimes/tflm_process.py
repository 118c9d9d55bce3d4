"""Run any .tflite in TensorFlow Lite Micro, in a process of its own: on an odd model the interpreter may end it.

Raises nothing that a model can cause but `DataError`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.runtimes.confined_tflm import confine_here, run_confined
from edge_sv.runtimes.tflm import TflmInterpreter, import_tflm
from edge_sv.system.npz import dump_arrays, parse_arrays

Arrays = Sequence[npt.NDArray[Any]]
_MODEL, _TENSORS = "model", "tensors"


def run_isolated(model: bytes, vectors: Sequence[Arrays]) -> list[list[npt.NDArray[Any]]]:
    """Run a model on several vectors of inputs.

    Args:
        model: a .tflite file.
        vectors: for each run one array for each input.

    Returns:
        For each run one array for each output.

    Raises:
        ToolMissing: tflite-micro is not installed.
        DataError: the model does not run there.
    """
    given = {f"{run}/{number}": values for run, inputs in enumerate(vectors) for number, values in enumerate(inputs)}
    got = _call(model, given, ())
    return [
        [got[f"{run}/{number}"] for number in range(sum(name.startswith(f"{run}/") for name in got))]
        for run in range(len(vectors))
    ]


def trace_isolated(model: bytes, inputs: Arrays, tensors: Sequence[int]) -> dict[int, npt.NDArray[Any]]:
    """Run a model once and return computed tensors by their number; errors as `run_isolated`."""
    given = {f"0/{number}": values for number, values in enumerate(inputs)}
    got = _call(model, given, tensors)
    return {index: got[f"t{index}"] for index in tensors}


def _call(model: bytes, given: dict[str, npt.NDArray[Any]], tensors: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
    import_tflm()
    arrays: dict[str, Any] = {**given, _MODEL: np.frombuffer(model, np.uint8), _TENSORS: np.array(tensors, np.int64)}
    done = run_confined("edge_sv.runtimes.tflm_process", dump_arrays(**arrays))
    return parse_arrays(done, "the answer of TensorFlow Lite Micro")


def _answer(request: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    tensors, model = request.pop(_TENSORS), request.pop(_MODEL).tobytes()
    interpreter = TflmInterpreter(model, keep_tensors=len(tensors) > 0)
    answer: dict[str, npt.NDArray[Any]] = {}
    for run in range(1 + max((int(name.split("/")[0]) for name in request), default=-1)):
        count = sum(name.startswith(f"{run}/") for name in request)
        outputs = interpreter.run(*(request[f"{run}/{number}"] for number in range(count)))
        answer |= {f"{run}/{number}": values for number, values in enumerate(outputs)}
    return answer | {f"t{index}": interpreter.tensor(index) for index in tensors}


def main() -> None:
    """Read a model and inputs on stdin, confine this process, write outputs on stdout."""
    request = parse_arrays(sys.stdin.buffer.read(), "the request")
    import_tflm()
    confine_here()
    sys.stdout.buffer.write(dump_arrays(**_answer(request)))


if __name__ == "__main__":
    main()
