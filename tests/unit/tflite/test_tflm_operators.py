"""TensorFlow Lite Micro's operators: the list is that of the interpreter that checks the builds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_sv.tflite.flatbuffer import DECODE, OPERATOR_NAMES
from edge_sv.tflite.tflm_operators import TFLM_OPERATORS, resolver_method

tflite_micro = pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
REPOSITORY = Path(__file__).resolve().parents[3]


def test_every_operator_is_one_of_the_interpreter_that_checks_the_builds() -> None:
    (library,) = Path(tflite_micro.__file__).parent.rglob("_runtime*.so")
    registered = set(re.findall(rb"Register_([A-Z0-9_]+)Ev", library.read_bytes()))
    assert {kind.encode() for kind in TFLM_OPERATORS} <= registered
    known = {name.encode() for name in OPERATOR_NAMES.values()}
    assert registered & known == {kind.encode() for kind in TFLM_OPERATORS}


def test_methods_are_those_of_the_resolver() -> None:
    stub = REPOSITORY / "tests/firmware/tflm_stub/tensorflow/lite/micro/micro_mutable_op_resolver.h"
    declared = set(re.findall(r"TfLiteStatus (Add\w+)\(\)", stub.read_text()))
    assert {resolver_method(kind) for kind in (*TFLM_OPERATORS, DECODE)} == declared
