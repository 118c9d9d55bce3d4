"""A small corpus of synthetic voices, for the stages of the pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.voice_corpus import make_voice_corpus


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_voice_corpus(tmp_path_factory.mktemp("corpus"))
