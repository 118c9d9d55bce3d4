"""What a device computes, on this computer: by TensorFlow Lite Micro or by LiteRT's reference kernels, bit for bit."""

from __future__ import annotations

from edge_sv.errors import ToolMissing
from edge_sv.runtimes.interpreter import Interpreter
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.runtimes.tflm import TflmInterpreter


def exact_interpreter(model: bytes) -> Interpreter:
    """Open a model where it computes what every device computes.

    Args:
        model: a .tflite without lookup tables, which LiteRT does not have.

    Raises:
        ToolMissing: neither tflite-micro nor LiteRT is installed.
    """
    try:
        return TflmInterpreter(model)
    except ToolMissing:
        return LiteRTInterpreter(model, reference_kernels=True)
