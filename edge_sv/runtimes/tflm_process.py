"""Run any .tflite in TensorFlow Lite Micro, in a process of its own: on an odd model the interpreter may end it.

Raises nothing that a model can cause but `DataError`.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.runtimes.tflm import TflmInterpreter, import_tflm
from edge_sv.runtimes.tflm_arena import child_environment

Arrays = Sequence[npt.NDArray[Any]]
TIMEOUT_S = 300
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
    request = io.BytesIO()
    arrays: dict[str, Any] = {**given, _MODEL: np.frombuffer(model, np.uint8), _TENSORS: np.array(tensors, np.int64)}
    np.savez(request, **arrays)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.npz"
        command = [sys.executable, "-m", "edge_sv.runtimes.tflm_process", str(answer)]
        try:
            done = subprocess.run(
                command,
                input=request.getvalue(),
                capture_output=True,
                check=False,
                env=child_environment(),
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError("the model does not come to an end in TensorFlow Lite Micro") from error
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["the process exited without output"]
            raise DataError("the model does not run in TensorFlow Lite Micro", details={"got": lines[-1]})
        with np.load(answer, allow_pickle=False) as answered:
            return dict(answered)


def _answer(request: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    tensors, model = request.pop(_TENSORS), request.pop(_MODEL).tobytes()
    interpreter = TflmInterpreter(model, keep_tensors=len(tensors) > 0)
    answer: dict[str, npt.NDArray[Any]] = {}
    for run in range(1 + max((int(name.split("/")[0]) for name in request), default=-1)):
        count = sum(name.startswith(f"{run}/") for name in request)
        outputs = interpreter.run(*(request[f"{run}/{number}"] for number in range(count)))
        answer |= {f"{run}/{number}": values for number, values in enumerate(outputs)}
    return answer | {f"t{index}": interpreter.tensor(index) for index in tensors}


if __name__ == "__main__":
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        answer: dict[str, Any] = _answer(dict(given))
    np.savez(sys.argv[1], **answer)
