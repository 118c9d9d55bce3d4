"""LiteRT is probed on a model of one operator, because a broken runtime imports well."""

from __future__ import annotations

import sys
import types

import pytest

from edge_sv.errors import ToolMissing
from edge_sv.runtimes.litert import PROBE_MODEL, LiteRTInterpreter, import_litert, import_tflite_runtime
from edge_sv.tflite.flatbuffer import operators, parse_model


def test_the_probe_is_one_operator() -> None:
    assert [operator.kind for operator in operators(parse_model(PROBE_MODEL))] == ["RELU"]
    assert import_litert().Interpreter


def test_a_runtime_that_imports_and_does_not_work_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = types.ModuleType("tflite_runtime.interpreter")

    def refuse(**_: object) -> None:
        raise AttributeError("_ARRAY_API not found")

    broken.Interpreter = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", broken)
    with pytest.raises(ToolMissing, match="installed but does not work") as caught:
        import_tflite_runtime()
    assert caught.value.details == {"got": "_ARRAY_API not found"}
    with pytest.raises(ToolMissing):
        LiteRTInterpreter(PROBE_MODEL, legacy=True)


@pytest.mark.parametrize("model", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_what_is_no_model_is_refused(model: bytes) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        LiteRTInterpreter(model)
