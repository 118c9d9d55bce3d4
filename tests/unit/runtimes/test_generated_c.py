"""Generated C through ctypes: inputs and outputs as described, the same bits as TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.package.cortex_m import source_files
from edge_sv.package.golden_vectors import buzz
from edge_sv.plugins.generator import DEFAULT_CODE, DEFAULT_PREFIX
from edge_sv.runtimes.generated_c import CompiledDevice, CompiledNet, CompiledSpeakerNet
from edge_sv.runtimes.host_compiler import compile_library
from edge_sv.runtimes.interpreter import describe_tensor
from edge_sv.runtimes.tflm import TflmInterpreter

# A net as generated code is: an arena, and functions that say where inputs and outputs lie in it.
TWO_INPUTS = b"""
#include <stddef.h>
#include <stdint.h>
const size_t two_arena_bytes = 64;
void *two_input(void *arena, int index) { return (char *)arena + 16 * index; }
void *two_output(void *arena, int index) { return (char *)arena + 32 + 16 * index; }
void two_invoke(void *arena) {
    int8_t *a = arena;
    int16_t *b = (int16_t *)((char *)arena + 16), *sum = (int16_t *)((char *)arena + 32);
    uint8_t *aligned = (uint8_t *)arena + 48;
    for (int i = 0; i < 6; ++i) sum[i] = (int16_t)(a[i] + 10 * b[i]);
    aligned[0] = (uintptr_t)arena % 16 == 0;
}
"""
INPUTS = [describe_tensor(0, (2, 3), "int8"), describe_tensor(1, (6,), "int16")]
OUTPUTS = [describe_tensor(2, (3, 2), "int16"), describe_tensor(3, (1,), "bool")]


@pytest.fixture
def two_inputs(tmp_path: Path) -> CompiledNet:
    places = {index: (details, 16 * index) for index, details in enumerate([*INPUTS, *OUTPUTS])}
    library = compile_library({"two.c": TWO_INPUTS}, cache=tmp_path)
    return CompiledNet(library, "two", inputs=INPUTS, outputs=OUTPUTS, places=places)


def test_several_inputs_and_outputs_of_several_types(two_inputs: CompiledNet) -> None:
    a, b = np.arange(6, dtype=np.int8).reshape(2, 3), np.arange(0, -600, -100, dtype=np.int16)
    first, aligned = two_inputs.run(a, b)
    assert first.dtype == np.int16 and first.tolist() == (a.ravel() + 10 * b).reshape(3, 2).tolist()
    assert aligned.tolist() == [True]


def test_results_are_copies_and_tensors_are_read_by_index(two_inputs: CompiledNet) -> None:
    a, b = np.ones(6, np.int8), np.ones(6, np.int16)
    (first, _) = two_inputs.run(a, b)
    two_inputs.run(2 * a, b)
    assert first.tolist() == [[11, 11]] * 3
    assert two_inputs.tensor(2).tolist() == [[12, 12]] * 3 and two_inputs.tensor(0).tolist() == [[2] * 3] * 2


def test_inputs_that_do_not_fit_are_refused(two_inputs: CompiledNet) -> None:
    with pytest.raises(DataError, match=r"input 1 is \(6,\) int16"):
        two_inputs.run(np.ones(6, np.int8), np.ones(6, np.int8))


@pytest.fixture(scope="module")
def library(tiny_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(source_files(tiny_artifact, DEFAULT_CODE), cache=tmp_path_factory.mktemp("libraries"))


def test_a_speaker_net_describes_itself_as_the_model_does(tiny_artifact: ModelArtifact, library: Path) -> None:
    pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")
    net, reference = CompiledSpeakerNet(library, DEFAULT_PREFIX), TflmInterpreter(tiny_artifact.model)
    assert net.model_sha256 == tiny_artifact.sha256
    for (got,), (wanted,) in ((net.inputs, reference.inputs), (net.outputs, reference.outputs)):
        assert got["shape"] == tuple(wanted["shape"]) and got["dtype"] == wanted["dtype"] == np.int8
        for key in ("scales", "zero_points"):
            given, expected = (details["quantization_parameters"][key] for details in (got, wanted))
            np.testing.assert_array_equal(np.float32(given), np.float32(expected))
    frames = np.random.default_rng(2).integers(-128, 128, net.inputs[0]["shape"]).astype(np.int8)
    np.testing.assert_array_equal(net.run(frames)[0], reference.run(frames)[0])


def test_a_device_says_in_its_own_words_what_it_refuses(library: Path) -> None:
    device = CompiledDevice(library, DEFAULT_PREFIX)
    with pytest.raises(DataError, match="the device answers") as caught:
        device.embed(np.zeros(10, np.int16))
    assert caught.value.details == {"call": "esv_finish"}
    assert np.linalg.norm(device.embed(buzz(16000, 16000))) == pytest.approx(1, abs=1e-5)
