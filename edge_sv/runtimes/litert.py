"""LiteRT's interpreter, and tflite-runtime's on devices that only have that."""

from __future__ import annotations

import base64
import importlib
from types import ModuleType

from edge_sv.errors import ToolMissing
from edge_sv.system.native_log import held_native_log

# A .tflite of one operator, RELU on one float. Building an interpreter on it tells whether a runtime works at all:
# tflite-runtime beside numpy 2 imports, and fails here.
PROBE_MODEL = base64.b85decode(
    b"7ytkOR7OlQ000gE6aWwa3;+lK000C44gdfE5C8xG8~^|S&;S4c0{{R30RR912mk;81ONm81ONa40RR915C8xG3;+}W5C9AS2mk~C3;+NC5C8xG"
    b"JOBUyKmY&$L;wH)0RR915C8xG000UA3;+NC2mk~C3IG5A2mk;83;+NC0RR910RR910RR91000000RR910RR910RR91000000ssI2FaQ7m1ONa4"
    b"<p2Nw2mk;83;+NC0RR91c>n+a0RR910RR913;+xO2mk;8000C43;+NC2mk;83;+NC0RR91cmMzZ0RR910RR910RR915C8xG3;+xO3jhEB000C4"
    b"3;+NC6951J0000J"
)


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
