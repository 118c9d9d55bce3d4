"""The version is stated once, and the changelog has its section."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import edge_sv
from edge_sv.system.version import __version__

CHANGELOG = Path(__file__).resolve().parents[3] / "CHANGELOG.md"


def test_it_is_that_of_the_installed_distribution() -> None:
    assert __version__ == edge_sv.__version__ == version("edge-sv")


def test_the_changelog_has_its_section() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", CHANGELOG.read_text(), re.MULTILINE)
