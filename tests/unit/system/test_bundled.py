"""Assets and targets are found beside the package in a checkout, and inside it where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

import edge_sv
from edge_sv.system import bundled
from edge_sv.system.bundled import assets_dir, targets_dir


def test_a_checkout_has_them_beside_the_package() -> None:
    repository = Path(edge_sv.__file__).resolve().parents[1]
    assert (assets_dir(), targets_dir()) == (repository / "assets", repository / "targets")
    assert (assets_dir() / "voices").is_dir() and (targets_dir() / "common").is_dir()


def test_what_is_inside_the_package_goes_before_what_is_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that happens to be called `assets` in site-packages is somebody else's."""
    package = tmp_path / "edge_sv"
    for folder in (tmp_path / "assets", tmp_path / "targets", package / "_assets"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(bundled, "_PACKAGE", package)
    assert assets_dir() == package / "_assets"
    assert targets_dir() == tmp_path / "targets"
