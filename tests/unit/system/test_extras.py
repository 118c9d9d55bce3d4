"""All that is missing is said at once, with the one command that installs it."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

from edge_sv.errors import ToolMissing
from edge_sv.system import extras

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages that the test takes away."""
    gone: set[str] = set()
    real = importlib.util.find_spec
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None if name in gone else real(name))
    return gone


def test_every_missing_package_in_one_error(without: set[str]) -> None:
    extras.require_extras("train", "micro", purpose="this")
    without |= {"tensorflow", "tf_keras", "tflite_micro"}
    with pytest.raises(ToolMissing, match="this build needs packages") as caught:
        extras.require_extras("train", "micro", "plot", purpose="this build")
    assert caught.value.details == {"train": "tensorflow, tf_keras", "micro": "tflite_micro"}
    assert caught.value.hint == "pip install 'edge-sv[train,micro]'" and caught.value.exit_code == 6
    assert not extras.has_extra("train") and extras.has_extra("plot") == (real_spec("matplotlib") is not None)


def test_the_extra_of_a_package() -> None:
    assert extras.extra_of("tensorflow") == "train" and extras.extra_of("tflite_micro") == "micro"
    assert extras.extra_of("numpy") is None


def real_spec(name: str) -> object:
    return importlib.util.find_spec(name)


def test_extras_are_the_distributions_own() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.EXTRAS) <= set(declared)
