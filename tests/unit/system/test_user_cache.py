"""Where results are kept, also for a user without a home that can be written."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sv.system import user_cache
from edge_sv.system.user_cache import user_cache_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    user_cache._temporary_folder.cache_clear()
    yield folder
    user_cache._temporary_folder.cache_clear()


def test_it_follows_xdg_and_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / "edge-sv"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / ".cache" / "edge-sv"
    assert list(tmp_path.iterdir()) == [tmp_path / "temporary"], "it is made when something is kept"


def test_a_place_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING, logger="edge_sv"):
        found = user_cache_folder()
        assert user_cache_folder() == found
    assert found == temporary / f"edge-sv-{os.getuid()}" and stat.S_IMODE(found.stat().st_mode) == 0o700
    assert len(caplog.records) == 1 and "XDG_CACHE_HOME" in caplog.text and str(found) in caplog.text


def test_a_read_only_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert user_cache_folder().parent == temporary


def test_no_home(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    def none() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", none)
    assert user_cache_folder().parent == temporary


@pytest.mark.parametrize("make", ["link", "open"])
def test_a_folder_that_somebody_else_prepared_is_not_used(
    make: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path
) -> None:
    planted = temporary / f"edge-sv-{os.getuid()}"
    if make == "link":
        (tmp_path / "elsewhere").mkdir()
        planted.symlink_to(tmp_path / "elsewhere")
    else:
        planted.mkdir(mode=0o777)
        planted.chmod(0o777)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = user_cache_folder()
    assert found != planted and found.parent == temporary and stat.S_IMODE(found.stat().st_mode) == 0o700


def test_a_relative_place_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert user_cache_folder() == tmp_path / ".cache" / "edge-sv"
