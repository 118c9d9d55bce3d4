"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """Folder of the speech corpora (see CONTRIBUTING); EDGE_SV_DATA overrides its place."""
    folder = Path(os.environ.get("EDGE_SV_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "index.csv").is_file():
        pytest.skip(f"speech corpora not found at {folder}; set EDGE_SV_DATA to the folder that holds index.csv")
    return folder
