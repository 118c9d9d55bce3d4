"""Where the bundled assets and targets are: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _find(name: str) -> Path:
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name


def assets_dir() -> Path:
    """Return the folder of the bundled nets and voices."""
    return _find("assets")


def targets_dir() -> Path:
    """Return the folder of the targets."""
    return _find("targets")
