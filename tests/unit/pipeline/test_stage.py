"""A stage is run once for what it depends on; a changed input, a changed library or changed code run it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sv.errors import DataError
from edge_sv.pipeline import stage as stage_module
from edge_sv.pipeline.stage import Given, Stage, find_stages, run_stages
from edge_sv.system.stage_cache import StageCache


def adder(name: str, amount: int, ran: list[str], **options: Any) -> Stage[int, int]:
    """A stage that adds a number, and notes that it ran."""

    def make(before: int, folder: Path, _scratch: Path) -> None:
        ran.append(name)
        (folder / "sum").write_text(str(before + amount))

    def read(_before: int, folder: Path) -> int:
        try:
            return int((folder / "sum").read_text())
        except ValueError as error:
            raise DataError("damaged") from error

    values: dict[str, Any] = {
        "name": name,
        "intent": f"add {amount}",
        "code": ("edge_sv.errors",),
        "libraries": ("numpy",),
        "inputs": lambda before: [before, amount],
        "make": make,
        "read": read,
        "note": lambda after: f"is {after}",
    }
    return Stage(**{**values, **options})


def test_each_stage_gets_the_result_before_and_runs_once(tmp_path: Path) -> None:
    ran: list[str] = []
    seen = []
    stages, cache = (adder("one", 1, ran), adder("two", 2, ran)), StageCache(tmp_path)
    results, outcomes = run_stages(stages, 10, cache, on_stage=seen.append)
    assert results == [11, 13] and ran == ["one", "two"] and seen == outcomes
    assert [(o.status, o.note) for o in outcomes] == [("done", "is 11"), ("done", "is 13")]
    again, kept = run_stages(stages, 10, cache)
    assert again == results and ran == ["one", "two"] and {o.status for o in kept} == {"unchanged"}
    _, changed = run_stages((stages[0], adder("two", 5, ran)), 10, cache)
    assert [o.status for o in changed] == ["unchanged", "done"] and ran == ["one", "two", "two"]


def test_looking_runs_nothing_and_stops_at_what_is_missing(tmp_path: Path) -> None:
    ran: list[str] = []
    stages, cache = tuple(adder(name, 1, ran) for name in ("one", "two", "three")), StageCache(tmp_path / "work")
    results, outcomes = find_stages(stages, 10, cache)
    assert results == [None] * 3 and not ran and not (tmp_path / "work").exists()
    assert [(o.status, o.note) for o in outcomes] == [("needed", "add 1")] * 3
    run_stages(stages[:2], 10, cache)
    results, outcomes = find_stages(stages, 10, cache)
    assert results == [11, 12, None] and [o.status for o in outcomes] == ["unchanged", "unchanged", "needed"]


def test_what_came_along_is_taken(tmp_path: Path) -> None:
    ran: list[str] = []
    stage = adder("one", 1, ran, given=lambda before: Given(before * 2, "twice") if before > 5 else None)
    _, (outcome,) = run_stages([stage], 10, StageCache(tmp_path))
    assert (outcome.status, outcome.note) == ("unchanged", "twice") and not ran
    assert run_stages([stage], 1, StageCache(tmp_path))[0] == [2] and ran == ["one"]


def test_a_result_is_placed_where_it_is_wanted(tmp_path: Path) -> None:
    placed: list[int] = []

    def place(after: int) -> tuple[int, bool]:
        placed.append(after)
        return after + 100, len(placed) == 1

    stage = adder("one", 1, [], place=place)
    statuses = [run_stages([stage], 10, StageCache(tmp_path))[1][0].status for _ in range(2)]
    assert placed == [11, 11] and statuses == ["done", "unchanged"]


def test_an_interrupted_stage_goes_on_from_its_scratch_folder(tmp_path: Path) -> None:
    def make(before: int, folder: Path, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        if not (scratch / "half").exists():
            (scratch / "half").write_text("x")
            raise KeyboardInterrupt
        (folder / "sum").write_text(str(before))

    stage, cache = adder("one", 1, [], make=make), StageCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_stages([stage], 10, cache)
    assert find_stages([stage], 10, cache)[0] == [None]
    assert run_stages([stage], 10, cache)[0] == [10]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(json_values, json_values)
def test_other_inputs_other_key(one: Any, other: Any) -> None:
    stages = [adder("s", 0, [], inputs=lambda _, value=value: value) for value in (one, other)]
    cache = StageCache(Path("work"))
    folders = [cache.folder("s", stage.key(0)) for stage in stages]
    same = repr(one) == repr(other) or (one == other and type(one) is type(other) and not isinstance(one, bool | int))
    assert same or folders[0] != folders[1]
    assert cache.folder("s", stages[0].key(0)) == folders[0]


def test_another_library_and_other_code_make_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = adder("s", 0, [])
    before = stage.key(0)
    assert adder("s", 0, [], libraries=("scipy",)).key(0) != before
    assert adder("s", 0, [], code=("edge_sv.system.files",)).key(0) != before
    monkeypatch.setattr(stage_module, "library_versions", lambda *names: dict.fromkeys(names, "99.0"))
    upgraded = stage.key(0)
    assert upgraded != before
    monkeypatch.setattr(stage_module, "code_sha256", lambda *modules: "0")
    assert stage.key(0) not in (before, upgraded)
