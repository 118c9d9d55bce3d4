"""One interpreter for each runtime: the same inputs give the same tensors, and nothing else builds one."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact
from edge_sv.artifacts.locate import locate
from edge_sv.errors import DataError
from edge_sv.runtimes.interpreter import TracingInterpreter, describe_tensor, fit_inputs, run_each
from edge_sv.runtimes.litert import LiteRTInterpreter
from edge_sv.runtimes.tflm import TflmInterpreter

REPOSITORY = Path(__file__).resolve().parents[3]
HOMES = {"edge_sv/runtimes/litert.py", "edge_sv/runtimes/tflm.py"}


def constructs_one(node: ast.AST) -> bool:
    """Whether a call is `X.Interpreter(...)`, `Interpreter(...)` or `X.Interpreter.from_bytes(...)`."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called.split(".")[-1] == "Interpreter" or called.endswith(
        ("Interpreter.from_bytes", "Interpreter.from_file")
    )


@pytest.mark.parametrize("call", ["m.Interpreter(x)", "Interpreter(x)", "r.Interpreter.from_bytes(x)"])
def test_the_search_finds_constructions(call: str) -> None:
    assert any(map(constructs_one, ast.walk(ast.parse(call))))


def test_raw_interpreters_are_constructed_in_one_place_a_runtime() -> None:
    folders = ("edge_sv", "converters", "benchmarks", "tests")
    sources = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    found = {
        path.relative_to(REPOSITORY).as_posix()
        for path in sources
        if any(map(constructs_one, ast.walk(ast.parse(path.read_text()))))
    }
    assert len(sources) > 250 and found == HOMES


@pytest.fixture(scope="module")
def artifact() -> ModelArtifact:
    path = locate("resnet-nano").artifact("static_wi8_ai8")
    assert path is not None
    return load_artifact(path)


def both(model: bytes, **options: bool) -> list[TracingInterpreter]:
    return [LiteRTInterpreter(model, reference_kernels=True, **options), TflmInterpreter(model, **options)]


def test_all_say_the_same_of_inputs_and_outputs(artifact: ModelArtifact) -> None:
    litert, tflm = both(artifact.model)
    for one, other in ((litert.inputs, tflm.inputs), (litert.outputs, tflm.outputs)):
        assert len(one) == len(other) == 1
        assert tuple(one[0]["shape"]) == tuple(other[0]["shape"]) and one[0]["dtype"] == other[0]["dtype"] == np.int8
        for key in ("scales", "zero_points"):
            a, b = (details[0]["quantization_parameters"][key] for details in (one, other))
            assert np.array_equal(a, b)


def test_the_same_bits_come_out_and_lie_within(artifact: ModelArtifact) -> None:
    frames = np.random.default_rng(3).integers(-128, 128, (artifact.segments.frames, 80), np.int8)
    litert, tflm = both(artifact.model, keep_tensors=True)
    (one,), (other,) = litert.run(frames), tflm.run(frames)
    assert one.ravel().tobytes() == other.ravel().tobytes()
    first = int(litert.inputs[0]["index"])
    assert np.array_equal(litert.tensor(first).ravel(), frames.ravel())
    assert np.array_equal(tflm.tensor(first).ravel(), frames.ravel())


def test_results_are_copies(artifact: ModelArtifact) -> None:
    shape = (artifact.segments.frames, 80)
    for interpreter in both(artifact.model):
        (one,) = interpreter.run(np.zeros(shape, np.int8))
        kept = one.copy()
        interpreter.run(np.full(shape, 100, np.int8))
        assert np.array_equal(one, kept)


def test_inputs_that_do_not_fit_are_refused(artifact: ModelArtifact) -> None:
    frames = np.zeros((artifact.segments.frames, 80), np.int8)
    for interpreter in both(artifact.model):
        with pytest.raises(DataError, match="takes 1 inputs") as caught:
            interpreter.run(frames, frames)
        assert caught.value.details == {"got": "2 arrays"}
        for wrong in (frames[1:], frames.astype(np.float32)):
            with pytest.raises(DataError, match=r"input 0 is \(1, 200, 80, 1\) int8"):
                interpreter.run(wrong)


def test_inputs_are_reshaped_in_c_order() -> None:
    wanted = [describe_tensor(0, (1, 2, 3), "int16"), describe_tensor(1, (), "float32")]
    values = np.arange(6, dtype=np.int16).reshape(3, 2).T
    first, second = fit_inputs([values, np.float32([5])], wanted)
    assert first.flags.c_contiguous and first.tolist() == [[[0, 2, 4], [1, 3, 5]]]
    assert second.shape == () and second == 5


def test_run_each_stacks(artifact: ModelArtifact) -> None:
    shape = (artifact.segments.frames, 80)
    inputs = [np.full(shape, value, np.int8) for value in (0, 50)]
    for interpreter in both(artifact.model):
        rows = run_each(interpreter, inputs)
        assert rows.shape == (2, artifact.embedding_dim)
        assert np.array_equal(rows[1], interpreter.run(inputs[1])[0].ravel())
