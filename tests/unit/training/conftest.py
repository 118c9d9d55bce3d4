"""A tiny corpus and run for the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sv.training.config import TrainConfig, read_config
from tests.corpora import CONFIG, make_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a synthetic corpus; tests leave it as it is."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A run of seconds on that corpus."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(CONFIG)
    return read_config(path)
