"""A damaged .tflite is refused; the process lives on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import pack_model, parse_model, profile_operators
from tests.int8_models import Int8Model

DAMAGED = """
import random, sys
from pathlib import Path
from edge_sv.errors import DataError
from edge_sv.tflite.flatbuffer import parse_model
data = Path(sys.argv[1]).read_bytes()
rng = random.Random(int(sys.argv[2]))
refused = 0
for turn in range(150):
    bad = bytearray(data[: rng.randrange(len(data))] if turn % 3 == 0 else data)
    for _ in range(rng.randrange(1, 6) if bad else 0):
        bad[rng.randrange(len(bad) if turn % 2 else min(len(bad), 4000))] = rng.randrange(256)
    try:
        parse_model(bytes(bad))
    except DataError:
        refused += 1
print(refused)
"""


def test_damaged_models_are_refused_without_a_crash(tiny_artifact: ModelArtifact, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_artifact.model)
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED, path, "1"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 50, "every third model is cut short, so at least those are refused"


def _conv_model() -> Any:
    net = Int8Model((1, 6, 4, 2), seed=3)
    return parse_model(net.pack(net.conv(net.input, 3)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda graph: setattr(graph.operators[0], "inputs", [0]), "has 1 inputs"),
        (lambda graph: setattr(graph.operators[0], "inputs", [0, -1, 2]), "has 3 inputs"),
        (lambda graph: setattr(graph.tensors[1], "shape", np.array([3, 2], np.int32)), "weights of shape"),
        (lambda graph: setattr(graph.tensors[0], "shape", np.array([1 << 30] * 4, np.int32)), "has shape"),
    ],
)
def test_what_an_operator_needs_is_there(change: Callable[[Any], object], words: str) -> None:
    tree = _conv_model()
    change(tree.subgraphs[0])
    with pytest.raises(DataError, match="damaged") as caught:
        profile_operators(parse_model(pack_model(tree)))
    assert words in caught.value.details["got"]
