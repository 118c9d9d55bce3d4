"""Plug-ins are found by name; what is missing, doubled or broken is named, with what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from edge_sv.errors import ToolMissing, UsageError
from edge_sv.plugins import entry
from edge_sv.plugins.entry import CONVERTERS, GENERATORS, PACKAGES, TABLE_WRITERS, load_plugin

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution: its module's source, and its entry points."""

    def install(distribution: str, source: str, group: str, **points: str) -> None:
        folder = tmp_path / distribution
        about = folder / f"{distribution}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (about / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        module = f"{distribution}_module"
        (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


@pytest.mark.parametrize("group", [CONVERTERS, GENERATORS, TABLE_WRITERS, PACKAGES])
def test_every_group_has_plug_ins_and_all_of_them_load(group: str) -> None:
    names = entry_points(group=group).names
    assert names
    for name in names:
        assert load_plugin(group, name)


def test_an_unknown_name_gets_the_nearest_and_all_that_are_installed() -> None:
    with pytest.raises(UsageError, match="unknown kind of package 'cortex-n'") as caught:
        load_plugin(PACKAGES, "cortex-n")
    assert caught.value.details == {"known": "cortex-m, tflite, tflite-micro"}
    assert caught.value.hint == "did you mean 'cortex-m'?"


def test_a_plug_in_of_another_distribution(install: Install) -> None:
    install("acme", "class Made:\n    pass\n", CONVERTERS, acme="acme_module:Made")
    assert type(load_plugin(CONVERTERS, "acme")).__name__ == "Made"
    with pytest.raises(UsageError, match="unknown converter") as caught:
        load_plugin(CONVERTERS, "acne")
    assert caught.value.details["known"] == "acme, tflite"


@pytest.mark.parametrize(
    ("source", "got", "hint"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence", "pip install --upgrade acme"),
        ("import acme_needs_this", "No module named 'acme_needs_this'", "pip install --upgrade acme"),
        ("from edge_sv.errors import Gone", "cannot import name 'Gone'", "pip install --upgrade acme"),
        ("def Other(): pass", "AttributeError", "pip install --upgrade acme"),
        ("def Made(needed): pass", "TypeError", "pip install --upgrade acme"),
        ("raise ModuleNotFoundError('none', name='tensorflow.lite')", "none", "pip install 'edge-sv[train]'"),
    ],
)
def test_a_broken_plug_in_is_named(install: Install, source: str, got: str, hint: str) -> None:
    install("acme", source, GENERATORS, broken="acme_module:Made")
    with pytest.raises(ToolMissing, match="generator 'broken' does not load") as caught:
        load_plugin(GENERATORS, "broken")
    assert caught.value.details["got"].startswith(got)
    assert caught.value.details["entry point"] == "acme_module:Made, of acme"
    assert caught.value.hint is not None and caught.value.hint.startswith(hint)


def test_two_plug_ins_of_one_name(install: Install) -> None:
    install("acme", "class Made:\n    pass\n", TABLE_WRITERS, lut="acme_module:Made")
    with pytest.raises(UsageError, match="2 installed distributions have a table writer 'lut'") as caught:
        load_plugin(TABLE_WRITERS, "lut")
    assert caught.value.details["acme"] == "acme_module:Made" and "edge-sv" in caught.value.details


def test_edge_sv_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "entry_points", lambda group: entry_points(group="edge_sv.nothing"))
    with pytest.raises(UsageError, match="no converter is installed, so there is no 'tflite'") as caught:
        load_plugin(CONVERTERS, "tflite")
    assert caught.value.hint is not None and "pip install edge-sv" in caught.value.hint
