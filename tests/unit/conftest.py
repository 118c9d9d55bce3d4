"""A small float net with random weights, and what it converts to."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import ModelArtifact, load_artifact
from edge_sv.plugins.converter import find_converter
from tests.nets import make_converted_net


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_converted_net(tmp_path_factory.mktemp("nets") / "tiny")


@pytest.fixture(scope="module")
def artifact(net: Path) -> ModelArtifact:
    return load_artifact(net / "static_wi8_ai8")


@pytest.fixture(scope="module")
def float_model(net: Path) -> bytes:
    return find_converter("tflite").convert_float(net)
