"""The tables of docs/results.md: written from results alone, and equal to the results that are in the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.evaluate_table import MARKS, Result, markdown, splice
from edge_sv.errors import DataError

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results" / "evaluation.json"


def result(name: str, condition: str, scoring: str, eer: float) -> Result:
    return {
        "model": "net",
        "recipe": "static_wi8_ai8",
        "model_bytes": 123456,
        "default_scoring": "as_norm",
        "list": name,
        "condition": condition,
        "scoring": scoring,
        "eer": eer,
        "eer_ci": (eer - 0.01, eer + 0.0234),
    }


def test_the_table_has_a_row_for_each_scoring_and_a_column_for_each_list() -> None:
    table = markdown(
        [
            result("libri", "clean", "cosine", 0.05),
            result("so762", "clean", "cosine", 0.1),
            result("libri", "clean", "as_norm", 0.04),
            {**result("libri", "noisy", "cosine", 0.2), "eer_ci": None},
        ]
    )
    lines = table.splitlines()
    assert "| net | recipe | kB | scoring | so762 | libri |" in lines
    assert "| net | static_wi8_ai8 | 123 | cosine | 10.0 (9.0–12.3) | 5.0 (4.0–7.3) |" in lines
    assert "| net | static_wi8_ai8 | 123 | as-norm (default) |  | 4.0 (3.0–6.3) |" in lines
    assert lines[-1] == "| net | static_wi8_ai8 | 123 | cosine | 20.0 |"
    assert "noise" in lines[-5]


def test_the_table_goes_between_the_marks() -> None:
    text = f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n"
    assert splice(text, "new\n") == f"before\n{MARKS[0]}\nnew\n{MARKS[1]}\nafter\n"
    assert splice(splice(text, "new\n"), "new\n") == splice(text, "new\n")
    for broken in ("no marks", f"{MARKS[1]} {MARKS[0]}"):
        with pytest.raises(DataError, match="no place for the table"):
            splice(broken, "new\n")


def test_the_readme_shows_the_results_of_the_repository() -> None:
    if not RESULTS.is_file():
        pytest.skip("no results yet: python benchmarks/evaluate_table.py")
    page = (REPOSITORY / "docs" / "results.md").read_text()
    assert splice(page, markdown(json.loads(RESULTS.read_text())["results"])) == page
