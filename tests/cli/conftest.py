"""Fixtures for tests that run the installed command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.environments import build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """edge_sv's wheel, built from the checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))
