"""TensorFlow Lite Micro in a process of its own, which can do nothing but compute: a model may be hostile or odd."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from edge_sv.errors import DataError
from edge_sv.system.processes import BLAS_THREADS
from edge_sv.system.sandbox import Limits, clean_environment, confine

TIMEOUT_S = 300
MEMORY_BYTES = 8 << 30
LOG_BYTES = 1 << 20
"""What the interpreter's messages may take in the process's own folder."""


def run_confined(module: str, request: bytes) -> bytes:
    """Run a module that uses TensorFlow Lite Micro in a process of its own, which calls `confine_here`.

    Args:
        module: its name; it reads a request on stdin and writes an answer on stdout.
        request: with the model.

    Raises:
        DataError: the model does not run there, or does not finish.
    """
    with tempfile.TemporaryDirectory(prefix="edge-sv-", ignore_cleanup_errors=True) as home:
        try:
            done = subprocess.run(
                [sys.executable, "-m", module],
                input=request,
                capture_output=True,
                check=False,
                cwd=home,
                env={**clean_environment(home), **dict.fromkeys(BLAS_THREADS, "1"), "PYTHONPATH": _import_path()},
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError("the model does not finish in TensorFlow Lite Micro") from error
    if done.returncode != 0:
        raise DataError("the model does not run in TensorFlow Lite Micro", details={"got": _last_line(done.stderr)})
    return done.stdout


def confine_here() -> None:
    """Confine this process, which is about to run a model that may be hostile, to its empty working folder."""
    places = (os.devnull, str(Path.cwd()))
    confine(Limits(memory_bytes=MEMORY_BYTES, file_bytes=LOG_BYTES, write=places))


def _import_path() -> str:
    """Return where this process imports from, for a child that is started elsewhere."""
    return os.pathsep.join(str(Path(path).absolute()) for path in sys.path)


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "the process exited without output"
