"""A stage's result is made once for its inputs, is there as a whole or not at all, and is made again when damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sv.errors import DataError
from edge_sv.system.stage_cache import StageCache, default_work_folder, folder_sha256

INPUTS = {"net": "abc", "options": [1, 2.5, None], "nested": {"a": 1, "b": 2}}


class Stage:
    """A stage that counts how often it is made."""

    def __init__(self, text: str = "result") -> None:
        self.text, self.made = text, 0

    def make(self, folder: Path) -> None:
        self.made += 1
        (folder / "out.txt").write_text(self.text)

    def read(self, folder: Path) -> str:
        try:
            text = (folder / "out.txt").read_text()
        except OSError as error:
            raise DataError(f"{folder} is damaged") from error
        if text != self.text:
            raise DataError(f"{folder} is damaged")
        return text

    def run(self, cache: StageCache, inputs: Any = INPUTS, name: str = "convert") -> tuple[str, bool]:
        return cache.run(name, inputs, make=self.make, read=self.read)


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(tmp_path / "work")


def test_it_is_made_once(cache: StageCache) -> None:
    stage = Stage()
    assert cache.find("convert", INPUTS, read=stage.read) is None
    assert [stage.run(cache) for _ in range(3)] == [("result", False), ("result", True), ("result", True)]
    assert stage.made == 1
    assert cache.find("convert", INPUTS, read=stage.read) == "result"
    again = StageCache(cache.work)
    assert stage.run(again) == ("result", True), "another process finds it"


def test_the_order_of_keys_does_not_matter_and_everything_else_does(cache: StageCache) -> None:
    stage = Stage()
    stage.run(cache)
    turned = {"nested": {"b": 2, "a": 1}, "options": [1, 2.5, None], "net": "abc"}
    assert stage.run(cache, turned) == ("result", True)
    others = [
        {**INPUTS, "net": "abd"},
        {**INPUTS, "options": [2.5, 1, None]},
        {**INPUTS, "nested": {"a": 1}},
        {**INPUTS, "more": None},
        {**INPUTS, "net": ["abc"]},
    ]
    assert [stage.run(cache, other)[1] for other in others] == [False] * len(others)
    assert stage.run(cache, name="package")[1] is False
    assert stage.made == 2 + len(others)


def test_inputs_that_are_not_json_values_are_refused(cache: StageCache) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        Stage().run(cache, {"place": Path("a")})


@pytest.mark.parametrize("damage", [lambda path: path.write_text("other"), Path.unlink], ids=["changed", "removed"])
def test_a_damaged_result_is_made_again(cache: StageCache, damage: Callable[[Path], object]) -> None:
    stage = Stage()
    stage.run(cache)
    damage(cache.folder("convert", INPUTS) / "out.txt")
    assert cache.find("convert", INPUTS, read=stage.read) is None
    assert stage.run(cache) == ("result", False)
    assert stage.run(cache) == ("result", True)
    assert stage.made == 2


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), DataError("no")])
def test_a_stage_that_fails_leaves_nothing(cache: StageCache, failure: BaseException) -> None:
    def make(folder: Path) -> None:
        (folder / "out.txt").write_text("half")
        raise failure

    stage = Stage()
    with pytest.raises(type(failure)):
        cache.run("convert", INPUTS, make=make, read=stage.read)
    assert not [path for path in cache.work.rglob("*") if path.is_file()]
    assert stage.run(cache) == ("result", False)


def test_a_bug_in_reading_is_not_taken_for_damage(cache: StageCache) -> None:
    stage = Stage()
    stage.run(cache)

    def read(_folder: Path) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.find("convert", INPUTS, read=read)


def test_a_work_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(DataError, match="cannot write"):
        Stage().run(StageCache(tmp_path / "work"))


def test_the_work_folder_follows_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", None):
        monkeypatch.setenv("XDG_CACHE_HOME", value) if value == "" else monkeypatch.delenv("XDG_CACHE_HOME")
        assert default_work_folder() == tmp_path / ".cache" / "edge-sv" / "build"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "else"))
    assert default_work_folder() == tmp_path / "else" / "edge-sv" / "build"


class TestFolderSha256:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name, text in {"a.txt": "one", "deep/b.txt": "two", "deep/c.bin": "three"}.items():
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_text(text)
        return tmp_path / "in"

    @pytest.mark.parametrize(
        "change",
        [
            lambda folder: (folder / "deep" / "b.txt").write_text("2"),
            lambda folder: (folder / "a.txt").rename(folder / "z.txt"),
            lambda folder: (folder / "deep" / "b.txt").rename(folder / "b.txt"),
            lambda folder: (folder / "deep" / "c.bin").unlink(),
            lambda folder: (folder / "empty").write_text(""),
        ],
        ids=["content", "name", "folder", "removed", "added"],
    )
    def test_names_and_contents_count(self, folder: Path, change: Callable[[Path], object]) -> None:
        before = folder_sha256(folder)
        assert folder_sha256(folder) == before
        change(folder)
        assert folder_sha256(folder) != before

    def test_neither_place_nor_time_nor_compiled_python_counts(self, folder: Path) -> None:
        before = folder_sha256(folder)
        moved = folder.rename(folder.with_name("moved"))
        (moved / "__pycache__").mkdir()
        (moved / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"code")
        (moved / "a.txt").touch()
        assert folder_sha256(moved) == before
